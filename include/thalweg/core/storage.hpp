// Where an optimizer's arrays live: the user's parameters, and one allocation for the state.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/error.hpp>
#include <thalweg/core/tensor.hpp>

namespace thalweg::detail {

constexpr std::size_t alignment = 64;  // a cache line and the widest register

/// n numbers and the rest of their last cache line.
template <class T>
constexpr std::size_t padded(std::size_t n) {
  constexpr std::size_t line = alignment / sizeof(T);
  return (n + line - 1) / line * line;
}

struct aligned_delete {
  void operator()(void* memory) const { ::operator delete(memory, std::align_val_t(alignment)); }
};
template <class T>
using aligned_array = std::unique_ptr<T[], aligned_delete>;

template <class T>
aligned_array<T> allocate(std::size_t n) {
  return aligned_array<T>(static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(alignment))));
}

/// `transform.slot`, unique among `taken`: the second `ema` of a chain is `ema#2`.
inline std::string state_name(const std::vector<std::string>& taken, std::string_view transform,
                              std::string_view slot) {
  const auto name = [&](int nth) {
    return nth > 1 ? in_words(transform, "#", nth, ".", slot) : in_words(transform, ".", slot);
  };
  int nth = 1;
  while (std::ranges::find(taken, name(nth)) != taken.end()) ++nth;
  return name(nth);
}

/// One parameter, bound: the user's memory, its state arrays in the order of its path, and the path it takes.
template <class T>
struct bound_parameter {
  parameter_info info{};
  T* data = nullptr;
  std::size_t size = 0;
  std::size_t path = 0;
  bool averaged = false;  ///< its path ends in a transform that keeps an average
  std::vector<T*> states{};
  std::vector<std::string> state_names{};  ///< `transform.slot`, unique within the parameter
  std::vector<std::vector<std::size_t>> state_shapes{};
  std::vector<storage_order> state_orders{};  ///< as the parameter's, where the state has its shape; else row-major

  void add_state(std::string_view transform, std::string_view slot, std::vector<std::size_t> shape, bool of_its_shape) {
    state_shapes.push_back(std::move(shape));
    state_orders.push_back(of_its_shape ? info.order : storage_order::row_major);
    state_names.push_back(state_name(state_names, transform, slot));
  }
};

/// The arrays of an optimizer.
template <class T>
struct storage {
  std::vector<bound_parameter<T>> parameters;
  aligned_array<T> states;
  std::size_t state_elements = 0;
  std::vector<std::vector<T>> held_back;  ///< y of the averaged parameters, while they hold x
  bool at_evaluation_point = false;
};

}  // namespace thalweg::detail
