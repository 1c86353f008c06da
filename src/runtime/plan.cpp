#include "plan.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <thalweg/core/error.hpp>

#include "vocabulary.hpp"

namespace thalweg::runtime::detail {

namespace {

constexpr std::size_t most_paths = 1024;

using way = std::vector<std::size_t>;

// How many ways lead through; no more than one above what is allowed is counted.
std::size_t count_ways(const std::vector<node>& links) {
  std::size_t all = 1;
  for (const node& n : links) {
    const auto* fork = std::get_if<route>(&n);
    if (!fork) continue;
    std::size_t ways = 0;
    for (const branch& b : fork->branches) ways = std::min(most_paths + 1, ways + count_ways(b.links));
    all = std::min(most_paths + 1, all * ways);
  }
  return all;
}

/// The ways through, numbered as core/path.hpp numbers them; the leaves are appended to `leaves`.
std::vector<way> ways_through(const std::vector<node>& links, std::vector<shared_leaf>& leaves) {
  std::vector<way> ways(1);
  for (const node& n : links) {
    std::vector<way> here;
    if (const auto* leaf = std::get_if<shared_leaf>(&n)) {
      here.push_back({leaves.size()});
      leaves.push_back(*leaf);
    } else {
      for (const branch& b : std::get<route>(n).branches)
        for (auto& w : ways_through(b.links, leaves)) here.push_back(std::move(w));
    }
    std::vector<way> joined;
    for (const way& before : ways)
      for (const way& w : here) {
        joined.push_back(before);
        joined.back().insert(joined.back().end(), w.begin(), w.end());
      }
    ways = std::move(joined);
  }
  return ways;
}

std::size_t select_in(const std::vector<node>& links, const parameter_info& p) {
  std::size_t index = 0;
  for (const node& n : links) {
    const auto* fork = std::get_if<route>(&n);
    if (!fork) continue;
    std::optional<std::size_t> chosen;
    std::size_t ways = 0;
    for (const branch& b : fork->branches) {
      if (!chosen && (!b.when || b.when->holds(p))) chosen = ways + select_in(b.links, p);
      ways += count_ways(b.links);
    }
    if (!chosen) thalweg::detail::refuse_route(p);
    index = index * ways + *chosen;
  }
  return index;
}

std::size_t first_leaf(const std::vector<shared_leaf>& leaves, bool character::*is) {
  return static_cast<std::size_t>(
      std::ranges::find_if(leaves, [is](const shared_leaf& l) { return l->is.*is; }) - leaves.begin());
}

void check(const plan& p) {
  const auto refuse = [](const auto&... words) { throw error("optimizer", words...); };
  for (const path& way : p.paths) {
    for (std::size_t i = 0; i + 1 < way.positions(); ++i)
      if (p.leaves[way.leaf[i]]->is.writes)
        refuse("Something stands after a transform that has written the parameters; the terminal transform "
               "(apply_update, update_by_schedule_free, …) must be the last of its chain. Received ",
               p.leaves[way.leaf[i + 1]]->name, " behind ", p.leaves[way.leaf[i]]->name, ".");
    if (p.stopping_leaf < p.leaf_count() &&
        (!way.contains(p.stopping_leaf) || way.changed_before(way.position_of(p.stopping_leaf))))
      refuse("A transform that may stop the step (when_finite) must be the first of the whole chain.");
    if (p.gate_leaf < p.leaf_count()) {
      bool opens = way.contains(p.gate_leaf);
      for (std::size_t i = 0; opens && i < way.position_of(p.gate_leaf); ++i)  // `stopping` changes nothing
        opens = way.kinds[i] == kind::contextual || way.leaf[i] == p.stopping_leaf;
      if (!opens)
        refuse("A transform that swallows steps (accumulate) must be the first of the whole chain, or stand behind "
               "when_finite.");
    }
  }
  for (std::size_t l = 0; l < p.leaf_count(); ++l) {
    if (!p.leaves[l]->is.feeds) continue;
    const bool read = std::ranges::any_of(p.paths, [&](const path& way) {
      for (std::size_t i = way.position_of(l) + 1; i < way.positions(); ++i)
        if (p.leaves[way.leaf[i]]->is.reads == p.leaves[l]->is.feeds) return true;
      return false;
    });
    if (!read)
      refuse("Nothing downstream reads what a transform of this chain feeds: amuse_beta must stand before a transform "
             "that reads beta, such as update_by_schedule_free. Received ", p.leaves[l]->name, ".");
  }
}

}  // namespace

plan::plan(std::vector<node> links) : links_(std::move(links)) {
  if (count_ways(links_) > most_paths)
    throw error("optimizer", "Expected at most ", most_paths, " ways through the routes. Received more.");
  auto ways = ways_through(links_, leaves);
  leaves.push_back(find_transform("apply_update")({.text = "apply_update", .column = 1, .arguments = {}}));
  first_sum.assign(1, 0);
  for (const auto& l : leaves) first_sum.push_back(first_sum.back() + l->is.sums);
  for (auto& w : ways) {
    if (std::ranges::none_of(w, [&](std::size_t l) { return leaves[l]->is.writes; })) w.push_back(leaf_count());
    paths.emplace_back(leaves, std::move(w), first_sum);
  }
  for (std::size_t l = 0; l < leaf_count(); ++l)
    if (leaves[l]->is.what == kind::modelwise) phases.push_back(l);
  phases.push_back(leaf_count());
  stopping_leaf = std::min(leaf_count(), first_leaf(leaves, &character::stops));
  gate_leaf = std::min(leaf_count(), first_leaf(leaves, &character::swallows));
  if (std::ranges::count_if(leaves, [](const auto& l) { return l->is.swallows; }) > 1)
    throw error("optimizer", "Expected one transform that swallows steps (accumulate). Received a second one.");
  check(*this);
  for (const path& p : paths) {
    parts.emplace_back();
    for (const std::size_t l : phases) {
      const bool ends = l == leaf_count();
      parts.back().push_back(ends || p.contains(l)
                                 ? thalweg::detail::part_until(ends ? p.positions() : p.position_of(l), p.kinds, p.stages)
                                 : part());
    }
  }
}

std::size_t plan::select(const parameter_info& p) const { return select_in(links_, p); }

}  // namespace thalweg::runtime::detail
