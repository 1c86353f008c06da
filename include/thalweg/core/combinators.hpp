// Transforms that are made of other transforms, without their types. Chains in C++ and chains from text share them.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/core/program.hpp>

namespace thalweg::detail {

/// Puts the results of the branches together and writes them to the update.
template <class T>
struct merge {
  std::function<void(tensor<T> update, std::span<const tensor<const T>> branches)> apply;
  bool may_throw = false;
};

/// Each branch gets a copy of the update and changes it. `source.known` holds the passes of the branches' stages.
template <class T>
any_transform<T> make_parallel(merge<T> how, std::vector<std::vector<any_transform<T>>> branches, std::string text,
                               const pass_source<T>& source);

/// Whether a branch may hold such a transform.
constexpr bool fits_a_branch(const traits& is) {
  return is.what != kind::modelwise && !is.ends && !is.gates && is.scalars == 0 && !is.spends_decay;
}

/// A tensor-wise transform without state, on each of equal blocks of rows.
template <class T>
any_transform<T> make_row_blocks(any_transform<T> inner, long blocks);

/// A transform with one of its numbers on a schedule. `field` is the number's place among the fields, `value` its first
/// value.
template <class T>
any_transform<T> make_scheduled(any_transform<T> inner, std::size_t field, double value,
                                std::function<context(const context&)> schedule, std::string text);

}  // namespace thalweg::detail
