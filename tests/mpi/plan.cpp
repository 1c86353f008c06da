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
  std::vector<held> has;
  std::vector<traffic> sent;
  void deliver(std::span<const message> all) {
    for (const message& m : all) {
      has[static_cast<std::size_t>(m.to)].push_back({m.begin, m.end});
      if (m.from != m.to) sent[static_cast<std::size_t>(m.from)] += {1, m.end - m.begin};
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
  CHECK(p.order == std::vector<std::size_t>{0, 1, 2, 3, 4});
  CHECK(p.begin == std::vector<std::size_t>{0, 3, 12, 17, 21});
  CHECK(p.length == 23);
  CHECK(p.owned(0).begin == 0);
  CHECK(p.owned(0).end == 12);
  CHECK(p.owned(1).end == 23);
  CHECK(p.imbalance() == 12 * 2 / 23.0);
  // Rounds of two slices of four: 0 1 | 0 1 | 0 1, the last with three elements.
  CHECK(p.slice == 4);
  CHECK(p.rounds == 3);
  REQUIRE(p.by_slice.size() == 6);
  CHECK(p.by_slice[5].begin == 20);
  CHECK(p.by_slice[5].end == 23);
  CHECK(p.by_slice[5].rank == 1);
  CHECK(p.place_in_slices(20, 1) == 8);
  CHECK(p.place_in_slices(9, 0) == 5);
  const auto all = messages(p.by_slice, p.by_owner);
  CHECK(all.size() == 6);  // no slice has two owners
  CHECK(sent_by(1, all).messages == 1);  // the elements [4, 8); [12, 16) and [20, 23) are its own
  CHECK(sent_by(1, all).elements == 4);
  CHECK(sent_by(0, all).elements == 4);  // [16, 20)
  CHECK(of_rounds(p).messages == 3);
  CHECK(of_rounds(p).elements == 12);
}

TEST_CASE("plans of the least: one rank, more ranks than parameters, parameters without elements") {
  const plan one = make_plan(equal({3, 0, 2}), 1, 100);
  CHECK(one.owner == std::vector<int>{0, 0, 0});
  CHECK(one.rounds == 1);
  CHECK(of_rounds(one).elements == 0);
  const plan many = make_plan(equal({3, 2}), 7, 100);
  CHECK(many.slice == 1);
  CHECK(many.owned(5).begin == many.owned(5).end);
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
      virtual_ranks v{.has = std::vector<held>(static_cast<std::size_t>(ranks)), .sent = std::vector<traffic>(static_cast<std::size_t>(ranks))};
      const auto there = messages(p.by_slice, p.by_owner);
      v.deliver(there);
      std::size_t all_sent = 0, stays = 0;
      for (int r = 0; r < ranks; ++r) {
        const auto& has = v.has[static_cast<std::size_t>(r)];
        const piece own = p.owned(r);
        CHECK(joined(has) == (own.begin < own.end ? held{{own.begin, own.end}} : held{}));
        CHECK(v.sent[static_cast<std::size_t>(r)].messages == sent_by(r, there).messages);
        CHECK(v.sent[static_cast<std::size_t>(r)].elements == sent_by(r, there).elements);
        all_sent += sent_by(r, there).elements;
      }
      for (const message& m : there) stays += m.from == m.to ? m.end - m.begin : 0;
      CHECK(all_sent + stays == p.length);

      virtual_ranks back{.has = std::vector<held>(static_cast<std::size_t>(ranks)), .sent = std::vector<traffic>(static_cast<std::size_t>(ranks))};
      const auto returned = messages(p.by_owner, p.by_slice);
      back.deliver(returned);
      CHECK(returned.size() == there.size());
      std::size_t arrived = 0;
      for (const held& has : back.has) arrived += count(has);
      CHECK(arrived == p.length);
      // Rounds: each rank gives each other one slice. Beside what must be sent, they send less than a round's padding.
      const std::size_t n = static_cast<std::size_t>(ranks);
      CHECK(of_rounds(p).messages == p.rounds * (n - 1));
      CHECK(of_rounds(p).elements == p.rounds * p.slice * (n - 1));
      CHECK(p.rounds * p.block() >= p.length);
      CHECK(p.rounds * p.block() < p.length + p.block());
    }
}
