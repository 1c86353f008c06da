// Which process steps which parameter, and what the processes send each other in a step. A plan is computed from shapes
// alone, so all processes compute the same one.
//
// The parameters are dealt into buckets. While one bucket is stepped, the gradients of the next ones arrive, and the new
// parameters of the one before return. The elements of all parameters stand in one line: bucket after bucket, and in a
// bucket those of one owner together. Between two steps of the work the line is distributed in several ways. A distribution
// says which rank holds which elements.
//
//     gradients    every rank has all       ─ slices are exchanged, and added up in the order of the ranks ─►  by slice
//     by slice     equal parts of a bucket  ─ sent ─►  by owner: whole parameters
//     parameters   by owner                 ─ sent ─►  by slice  ─ to all ─►  every rank has all
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace thalweg::mpi::detail {

/// Elements [begin, end) of the line, and the rank that holds them.
struct piece {
  std::size_t begin, end;
  int rank;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};
/// Pieces in the order of the line. A piece may be held by nobody.
using distribution = std::vector<piece>;

/// Elements [begin, end) on their way.
struct message {
  std::size_t begin, end;
  int from, to;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};
/// What is sent to change one distribution into another, in the order of the line. What stays with a rank is not sent; it is
/// among the messages, from a rank to itself.
std::vector<message> messages(const distribution& now, const distribution& wanted);
/// Those from a rank or to it.
std::vector<message> of_rank(int rank, std::vector<message> all);

/// What a parameter costs its owner.
struct parameter_cost {
  std::size_t elements;
  double cost;
};

/// A part of a bucket that is exchanged at once: each rank has a slice of it.
struct round_of_slices {
  std::size_t begin, end, slice;
  std::size_t place;  ///< elements that a rank keeps of the rounds before

  /// The slice of a rank. The last ones may be shorter, or empty.
  [[nodiscard]] piece slice_of(int rank) const {
    const std::size_t first = begin + static_cast<std::size_t>(rank) * slice;
    return {std::min(end, first), std::min(end, first + slice), rank};
  }
};

/// Elements [begin, end) of the line, whole parameters: these are stepped together. They are exchanged in rounds
/// [first_round, last_round).
struct bucket {
  std::size_t begin, end, first_round, last_round;
};

struct plan {
  int ranks;
  std::vector<parameter_cost> costs;    ///< by parameter
  std::vector<int> owner;               ///< by parameter
  std::vector<std::size_t> bucket_of;   ///< by parameter
  std::vector<std::size_t> begin;       ///< by parameter: its place in the line
  std::vector<std::size_t> place;       ///< by parameter: its place among the elements of its owner
  std::vector<std::size_t> order;       ///< the parameters, as they stand in the line
  std::size_t length = 0;               ///< of the line
  std::vector<bucket> buckets;
  std::vector<round_of_slices> rounds;
  distribution by_owner, by_slice;

  /// Elements of a rank's parameters.
  [[nodiscard]] std::size_t owned(int rank) const;
  /// Elements that a rank keeps of the slices of all rounds, at most.
  [[nodiscard]] std::size_t in_slices() const { return rounds.empty() ? 0 : rounds.back().place + rounds.back().slice; }
  /// Where a rank keeps an element of its slices.
  [[nodiscard]] std::size_t place_in_slices(std::size_t element, int rank) const {
    const round_of_slices& r = round_of(element);
    return r.place + (element - r.slice_of(rank).begin);
  }
  /// The round in which an element is exchanged.
  [[nodiscard]] const round_of_slices& round_of(std::size_t element) const {
    return *std::ranges::partition_point(rounds, [&](const round_of_slices& r) { return r.end <= element; });
  }
  [[nodiscard]] std::size_t longest_slice() const;
  /// The place of an element among those of its owner.
  [[nodiscard]] std::size_t place_at_owner(std::size_t element) const;
  /// The cost of the rank that has most to do, as a multiple of the mean.
  [[nodiscard]] double imbalance() const;

  /// f(parameter, its first element, how many, place behind `from`) for the elements [from, to) of the line.
  template <class F>
  void for_each_parameter(std::size_t from, std::size_t to, F f) const {
    const auto ends_before = [this](std::size_t i, std::size_t element) { return begin[i] + costs[i].elements <= element; };
    auto at = std::ranges::partition_point(order, [&](std::size_t i) { return ends_before(i, from); });
    for (; at != order.end() && begin[*at] < to; ++at) {
      const std::size_t first = std::max(from, begin[*at]), last = std::min(to, begin[*at] + costs[*at].elements);
      if (first < last) f(*at, first - begin[*at], last - first, first - from);
    }
  }
};

/// Deals the parameters out, the costliest first, each to the rank that has least to do. `most`: how many elements
/// a rank adds up in a round, at most.
plan make_plan(std::vector<parameter_cost> costs, int ranks, std::size_t most);

/// The line as it travels: the numbers of each parameter in a type of their own, without gaps.
class wire {
  const plan* of_ = nullptr;
  std::vector<std::size_t> bytes_;  ///< of an element, by parameter
  std::vector<std::size_t> begin_;  ///< by parameter
  std::size_t length_ = 0;

public:
  wire() = default;
  wire(const plan& of, std::vector<std::size_t> bytes_of_an_element);
  /// The byte at which an element begins.
  [[nodiscard]] std::size_t at(std::size_t element) const;
  [[nodiscard]] std::size_t bytes(std::size_t begin, std::size_t end) const { return begin < end ? at(end) - at(begin) : 0; }
};

/// What a rank sends in a step.
struct traffic {
  std::size_t messages = 0, bytes = 0;
  traffic& operator+=(const traffic& more);
  bool operator==(const traffic&) const = default;
};
/// Of the messages that a rank sends to others.
traffic sent_by(int rank, std::span<const message> all, const wire& as);
/// In all rounds, where each rank gives each other rank that one's slice: the exchange of gradients.
traffic sent_in_exchange(int rank, const plan& p, const wire& as);
/// In all rounds, where each rank gives its slice to all others: the return of parameters.
traffic sent_to_all(int rank, const plan& p, const wire& as);

}  // namespace thalweg::mpi::detail
