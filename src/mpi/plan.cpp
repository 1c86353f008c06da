#include "plan.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace thalweg::mpi::detail {

namespace {

/// Adds elements behind those that are there.
void append(distribution& to, std::size_t begin, std::size_t end, int rank) {
  if (begin == end) return;
  if (!to.empty() && to.back().rank == rank && to.back().end == begin) to.back().end = end;
  else to.push_back({begin, end, rank});
}

}  // namespace

std::vector<message> messages(const distribution& now, const distribution& wanted) {
  std::vector<message> all;
  for (std::size_t i = 0, k = 0; i < now.size() && k < wanted.size();) {
    const std::size_t begin = std::max(now[i].begin, wanted[k].begin), end = std::min(now[i].end, wanted[k].end);
    if (begin < end) all.push_back({begin, end, now[i].rank, wanted[k].rank});
    ++(now[i].end <= wanted[k].end ? i : k);
  }
  return all;
}

piece plan::owned(int rank) const {
  const auto found = std::ranges::find(by_owner, rank, &piece::rank);
  return found == by_owner.end() ? piece{0, 0, rank} : *found;
}

double plan::imbalance() const {
  std::vector<double> of_rank(static_cast<std::size_t>(ranks), 0.0);
  for (std::size_t i = 0; i < costs.size(); ++i) of_rank[static_cast<std::size_t>(owner[i])] += costs[i].cost;
  const double all = std::accumulate(of_rank.begin(), of_rank.end(), 0.0);
  return all > 0 ? std::ranges::max(of_rank) * ranks / all : 1;
}

plan make_plan(std::vector<parameter_cost> costs, int ranks, std::size_t most) {
  plan made{.ranks = ranks, .costs = std::move(costs), .owner = {}, .begin = {}, .order = {}, .by_owner = {}, .by_slice = {}};
  const std::size_t count = made.costs.size();
  made.owner.resize(count);
  made.begin.resize(count);
  made.order.resize(count);
  std::iota(made.order.begin(), made.order.end(), 0);
  std::ranges::stable_sort(made.order, std::greater<>(), [&](std::size_t i) { return made.costs[i].cost; });
  std::vector<double> busy(static_cast<std::size_t>(ranks), 0.0);
  for (const std::size_t i : made.order) {
    const auto least = std::ranges::min_element(busy);
    *least += made.costs[i].cost;
    made.owner[i] = static_cast<int>(least - busy.begin());
  }

  std::iota(made.order.begin(), made.order.end(), 0);
  std::ranges::stable_sort(made.order, {}, [&](std::size_t i) { return made.owner[i]; });
  for (const std::size_t i : made.order) {
    made.begin[i] = made.length;
    made.length += made.costs[i].elements;
    append(made.by_owner, made.begin[i], made.length, made.owner[i]);
  }

  const auto of_all = static_cast<std::size_t>(ranks);
  made.slice = std::clamp<std::size_t>((made.length + of_all - 1) / of_all, 1, std::max<std::size_t>(1, most));
  made.rounds = (made.length + made.block() - 1) / made.block();
  for (std::size_t begin = 0, n = 0; begin < made.length; begin += made.slice, ++n)
    made.by_slice.push_back({begin, std::min(made.length, begin + made.slice), static_cast<int>(n % of_all)});
  return made;
}

traffic& traffic::operator+=(const traffic& more) {
  messages += more.messages;
  elements += more.elements;
  return *this;
}

traffic sent_by(int rank, std::span<const message> all) {
  traffic sum;
  for (const message& m : all)
    if (m.from == rank && m.to != rank) sum += {1, m.end - m.begin};
  return sum;
}

traffic of_rounds(const plan& p) {
  const std::size_t others = static_cast<std::size_t>(p.ranks) - 1;
  return {p.rounds * others, p.rounds * others * p.slice};
}

}  // namespace thalweg::mpi::detail
