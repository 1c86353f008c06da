// Where an optimizer's arrays live: the user's parameters, and one allocation for the state.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
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

/// Where elements lie that are not in one piece.
template <class T>
struct lines {
  T* data;
  std::size_t count, length, stride;  ///< `count` lines of `length` elements, which begin `stride` elements apart

  void copy_to(std::remove_const_t<T>* to) const {
    for (std::size_t i = 0; i < count; ++i) to = std::copy_n(data + i * stride, length, to);
  }
  void copy_from(const T* from) const {
    for (std::size_t i = 0; i < count; ++i) std::copy_n(from + i * length, length, data + i * stride);
  }
};

/// A parameter as the user gave it: parameters [first, last) of the storage are its parts.
struct whole_parameter {
  std::string name{};
  std::vector<std::size_t> shape{};
  std::size_t first = 0, last = 0;
  std::size_t extent = 0;  ///< elements from its first to its last
};

/// One parameter, bound: the user's memory, its state arrays in the order of its path, and the path it takes.
template <class T>
struct bound_parameter {
  parameter_info info{};
  T* data = nullptr;
  std::size_t size = 0;
  std::size_t whole = 0, offset = 0;         ///< of which given parameter it is a part, from which element on
  std::optional<lines<T>> lies_in{};         ///< the user's memory, where `data` is a copy of it
  std::size_t path = 0, clock = 0;
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
  std::vector<whole_parameter> wholes;
  aligned_array<T> copies;  ///< of the parameters that do not lie in one piece
  aligned_array<T> states;
  std::size_t state_elements = 0;
  std::vector<std::vector<T>> held_back;  ///< y of the averaged parameters, while they hold x
  bool at_evaluation_point = false;

  /// Reads those copies from the user's memory, and writes them there.
  void gather() const {
    for (const auto& p : parameters)
      if (p.lies_in) p.lies_in->copy_to(p.data);
  }
  void scatter() const {
    for (const auto& p : parameters)
      if (p.lies_in) p.lies_in->copy_from(p.data);
  }
};

}  // namespace thalweg::detail
