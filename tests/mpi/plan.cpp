// The plan, by hand and with virtual ranks that record what they send.
#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "models.hpp"

using namespace thalweg::mpi::detail;

namespace {

std::vector<parameter_cost> equal(std::initializer_list<std::size_t> sizes) {
  std::vector<parameter_cost> all;
  for (const std::size_t n : sizes) all.push_back({n, static_cast<double>(n)});
  return all;
}

/// A rank that keeps elements by their place in the line.
using held = std::vector<std::pair<std::size_t, std::size_t>>;  // [begin, end), in the order of the line

/// Virtual ranks: sends all messages, and records what each rank has sent.
struct virtual_ranks {
  const wire& as;
  std::vector<held> has;
  std::vector<traffic> sent;
  virtual_ranks(int ranks, const wire& w) : as(w), has(static_cast<std::size_t>(ranks)), sent(static_cast<std::size_t>(ranks)) {}
  void deliver(std::span<const message> all) {
    for (const message& m : all) {
      has[static_cast<std::size_t>(m.to)].push_back({m.begin, m.end});
      if (m.from != m.to) sent[static_cast<std::size_t>(m.from)] += {1, as.bytes(m.begin, m.end)};
    }
  }
};

/// The same as pieces without gaps between them.
held joined(const held& pieces) {
  held all;
  for (const auto& piece : pieces)
    if (!all.empty() && all.back().second == piece.first) all.back().second = piece.second;
    else all.push_back(piece);
  return all;
}

std::size_t count(const held& pieces) {
  return std::accumulate(pieces.begin(), pieces.end(), std::size_t{0}, [](std::size_t n, const auto& p) { return n + p.second - p.first; });
}

}  // namespace

TEST_CASE("a plan by hand: the costliest first, to the rank that has least to do") {
  const plan p = make_plan(equal({3, 9, 5, 4, 2}), 2, 4);
  CHECK(p.owner == std::vector<int>{0, 0, 1, 1, 1});  // 9 | 5, 4 | 3 to the first of two that have 9 | 2
  CHECK(p.imbalance() == 12 * 2 / 23.0);
  CHECK(p.owned(0) == 12);
  CHECK(p.owned(1) == 11);
  // Two buckets: what begins in the first half of the busiest rank's 12, and the rest.
  CHECK(p.bucket_of == std::vector<std::size_t>{1, 0, 0, 0, 1});
  CHECK(p.order == std::vector<std::size_t>{1, 2, 3, 0, 4});
  CHECK(p.begin == std::vector<std::size_t>{18, 0, 9, 14, 21});
  CHECK(p.place == std::vector<std::size_t>{9, 0, 0, 5, 9});
  CHECK(p.length == 23);
  REQUIRE(p.buckets.size() == 2);
  CHECK(p.buckets[0].end == 18);
  CHECK(p.buckets[1].end == 23);
  // The first in three rounds of two slices of three, at most four; the second in one.
  REQUIRE(p.rounds.size() == 4);
  CHECK(p.buckets[0].last_round == 3);
  CHECK(p.buckets[1].first_round == 3);
  CHECK(p.rounds[2].begin == 12);
  CHECK(p.rounds[2].place == 6);
  CHECK(p.rounds[3].slice_of(0).end == 21);
  CHECK(p.rounds[3].slice_of(1).size() == 2);
  CHECK(p.in_slices() == 12);
  const auto all = messages(p.by_slice, p.by_owner);
  CHECK(all.size() == 8);  // no slice has two owners

  const wire floats(p, {4, 4, 4, 4, 4});
  CHECK(sent_by(1, all, floats) == traffic{1, 12});  // the elements [3, 6)
  CHECK(sent_by(0, all, floats) == traffic{1, 12});  // [12, 15)
  CHECK(sent_in_exchange(0, p, floats) == traffic{4, 11 * 4});
  CHECK(sent_in_exchange(1, p, floats) == traffic{4, 12 * 4});
  CHECK(sent_to_all(1, p, floats) == traffic{4, 11 * 4});
  // The parameter of 9 elements in 16 bits.
  const wire mixed(p, {4, 2, 4, 4, 4});
  CHECK(mixed.at(9) == 18);
  CHECK(mixed.at(15) == 18 + 6 * 4);
  CHECK(mixed.at(23) == 23 * 4 - 18);
  CHECK(mixed.bytes(8, 10) == 6);
  CHECK(sent_by(1, all, mixed) == traffic{1, 6});
  CHECK(sent_in_exchange(0, p, mixed) == traffic{4, 3 * 2 + 8 * 4});
}

TEST_CASE("buckets take their owners about equally long, and hold whole parameters") {
  const plan p = test::plan_of(test::gpt2_124m(), 4, true);
  CHECK(p.buckets.size() > 8);
  CHECK(p.buckets.size() <= 16);
  double all = 0;
  for (const auto& c : p.costs) all += c.cost;
  const double busiest = p.imbalance() * all / 4;
  std::size_t end = 0;
  for (std::size_t b = 0; b < p.buckets.size(); ++b) {
    CHECK(p.buckets[b].begin == end);
    end = p.buckets[b].end;
    std::vector<double> busy(4, 0.0);
    for (const std::size_t i : p.order)
      if (p.bucket_of[i] == b) busy[static_cast<std::size_t>(p.owner[i])] += p.costs[i].cost;
    CHECK(std::ranges::max(busy) < busiest / 4);
  }
  CHECK(end == p.length);
}

TEST_CASE("plans of the least: one rank, more ranks than parameters, parameters without elements") {
  const plan one = make_plan(equal({3, 0, 2}), 1, 100);
  CHECK(one.owner == std::vector<int>{0, 0, 0});
  CHECK(one.rounds.size() == 1);
  CHECK(sent_in_exchange(0, one, wire(one, {4, 4, 4})) == traffic{});
  const plan many = make_plan(equal({3, 2}), 7, 100);
  REQUIRE(many.rounds.size() == 1);
  CHECK(many.rounds[0].slice == 1);
  CHECK(many.rounds[0].slice_of(5).size() == 0);
  CHECK(many.owned(5) == 0);
  CHECK(many.imbalance() == 3 * 7 / 5.0);
  for (const message& m : messages(many.by_slice, many.by_owner)) CHECK(m.to < 2);
}

TEST_CASE("virtual ranks: all elements arrive, and the messages are as many as the formulas say") {
  for (const auto& model : {test::gpt2_124m(), test::llama_1b()})
    for (const int ranks : {1, 2, 3, 8, 64, 512}) {
      CAPTURE(model.name);
      CAPTURE(ranks);
      const plan p = test::plan_of(model, ranks, true);
      CHECK(p.length == static_cast<std::size_t>(model.elements()));
      // Parameters of 16 bits, but for every third.
      std::vector<std::size_t> widths(p.costs.size(), 2);
      for (std::size_t i = 0; i < widths.size(); i += 3) widths[i] = 4;
      const wire as(p, widths);
      virtual_ranks v(ranks, as);
      const auto there = messages(p.by_slice, p.by_owner);
      v.deliver(there);
      std::size_t all_sent = 0, stays = 0;
      for (int r = 0; r < ranks; ++r) {
        const auto& has = v.has[static_cast<std::size_t>(r)];
        held own;
        for (const piece& one : p.by_owner)
          if (one.rank == r) own.push_back({one.begin, one.end});
        CHECK(joined(has) == joined(own));
        CHECK(count(has) == p.owned(r));
        CHECK(v.sent[static_cast<std::size_t>(r)] == sent_by(r, there, as));
        all_sent += sent_by(r, there, as).bytes;
      }
      for (const message& m : there) stays += m.from == m.to ? as.bytes(m.begin, m.end) : 0;
      CHECK(all_sent + stays == as.at(p.length));

      virtual_ranks back(ranks, as);
      const auto returned = messages(p.by_owner, p.by_slice);
      back.deliver(returned);
      CHECK(returned.size() == there.size());
      std::size_t arrived = 0;
      for (const held& has : back.has) arrived += count(has);
      CHECK(arrived == p.length);

      // Rounds: each rank gives each other that one's slice, and later its own slice to each other.
      if (ranks > 64) continue;
      virtual_ranks slices(ranks, as), to_all(ranks, as);
      for (const round_of_slices& one : p.rounds)
        for (int from = 0; from < ranks; ++from)
          for (int to = 0; to < ranks; ++to) {
            const piece theirs = one.slice_of(to), own = one.slice_of(from);
            if (theirs.size() > 0) slices.deliver(std::vector<message>{{theirs.begin, theirs.end, from, to}});
            if (own.size() > 0) to_all.deliver(std::vector<message>{{own.begin, own.end, from, to}});
          }
      for (int r = 0; r < ranks; ++r) {
        CHECK(slices.sent[static_cast<std::size_t>(r)] == sent_in_exchange(r, p, as));
        CHECK(to_all.sent[static_cast<std::size_t>(r)] == sent_to_all(r, p, as));
        CHECK(joined(to_all.has[static_cast<std::size_t>(r)]) == held{{0, p.length}});
      }
    }
}
