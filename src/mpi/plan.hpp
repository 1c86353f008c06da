// Which process steps which parameter, and what the processes send each other in a step. A plan is computed from shapes
// alone, so all processes compute the same one.
//
// The elements of all parameters stand in one line, those of one owner together. Between two steps of the work the line is
// distributed in several ways. A distribution says which rank holds which elements.
//
//     gradients    every rank has all       ─ slices are exchanged, and added up in the order of the ranks ─►  by slice
//     by slice     equal parts of the line  ─ sent ─►  by owner: whole parameters
//     parameters   by owner                 ─ sent ─►  by slice  ─ gathered ─►  every rank has all
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace thalweg::mpi::detail {

/// Elements [begin, end) of the line, and the rank that holds them.
struct piece {
  std::size_t begin, end;
  int rank;
};
/// Pieces in the order of the line. A piece may be held by nobody.
using distribution = std::vector<piece>;

/// Elements [begin, end) on their way.
struct message {
  std::size_t begin, end;
  int from, to;
};
/// What is sent to change one distribution into another, in the order of the line. What stays with a rank is not sent; it is
/// among the messages, from a rank to itself.
std::vector<message> messages(const distribution& now, const distribution& wanted);

/// What a parameter costs its owner.
struct parameter_cost {
  std::size_t elements;
  double cost;
};

struct plan {
  int ranks;
  std::vector<parameter_cost> costs;          ///< by parameter
  std::vector<int> owner;           ///< by parameter
  std::vector<std::size_t> begin;   ///< by parameter: its place in the line
  std::vector<std::size_t> order;   ///< the parameters, as they stand in the line
  std::size_t length = 0;           ///< of the line
  std::size_t slice = 0;            ///< elements that a rank adds up in a round
  std::size_t rounds = 0;
  distribution by_owner, by_slice;

  /// Elements of the line in one round.
  [[nodiscard]] std::size_t block() const { return slice * static_cast<std::size_t>(ranks); }
  /// Where rank `r` keeps an element of its slices.
  [[nodiscard]] std::size_t place_in_slices(std::size_t element, int r) const {
    return element / block() * slice + element % block() - static_cast<std::size_t>(r) * slice;
  }
  /// The elements of a rank's parameters: one part of the line.
  [[nodiscard]] piece owned(int rank) const;
  /// The cost of the rank that has most to do, as a multiple of the mean.
  [[nodiscard]] double imbalance() const;
};

/// Deals the parameters out, the costliest first, each to the rank that has least to do. `most`: how many elements
/// a rank adds up in a round, at most.
plan make_plan(std::vector<parameter_cost> costs, int ranks, std::size_t most);

/// What a rank sends in a step.
struct traffic {
  std::size_t messages = 0, elements = 0;
  traffic& operator+=(const traffic& more);
};
/// Of the messages that a rank sends to others.
traffic sent_by(int rank, std::span<const message> all);
/// Of rounds in which each rank gives each other rank one slice: the exchange of gradients, and the gathering of slices.
traffic of_rounds(const plan& p);

}  // namespace thalweg::mpi::detail
