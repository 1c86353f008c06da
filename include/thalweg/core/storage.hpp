// The arrays of an optimizer: the user's parameters, and one allocation for the state.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/error.hpp>
#include <thalweg/core/stored.hpp>
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

/// The memory of elements that are not contiguous, in bytes.
struct lines {
  void* data;
  std::size_t count, length, stride;  ///< `count` lines of `length` bytes, which begin `stride` bytes apart

  void copy_to(void* to) const {
    for (std::size_t i = 0; i < count; ++i) std::memcpy(at(to, i * length), at(data, i * stride), length);
  }
  void copy_from(const void* from) const {
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(at(data, i * stride), static_cast<const std::byte*>(from) + i * length, length);
  }

private:
  static std::byte* at(void* memory, std::size_t byte) { return static_cast<std::byte*>(memory) + byte; }
};

/// A parameter as the user passed it: parameters [first, last) of the storage are its parts.
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
  T* data = nullptr;  ///< null if it is not of T
  std::size_t size = 0;
  std::size_t whole = 0, offset = 0;         ///< index of the user's parameter, and the first element in it
  std::optional<lines> lies_in{};            ///< the user's memory, if `values` is a copy of it
  std::size_t path = 0, clock = 0;
  bool averaged = false;  ///< its path ends in a transform that keeps an average
  std::vector<T*> states{};    ///< null if they are not of T
  stored_array values{};             ///< the parameter, as it is stored
  std::vector<stored_array> arrays{};  ///< the states, as they are stored
  bool is_mixed = false;         ///< whether any of these is not of T
  std::vector<std::string> state_names{};  ///< `transform.slot`, unique within the parameter
  std::vector<std::vector<std::size_t>> state_shapes{};
  std::vector<storage_order> state_orders{};  ///< that of the parameter if the state has its shape; otherwise row-major
  std::vector<number_type> state_types{};

  void add_state(std::string_view transform, std::string_view slot, std::vector<std::size_t> shape, bool of_its_shape,
                 number_type type) {
    state_shapes.push_back(std::move(shape));
    state_orders.push_back(of_its_shape ? info.order : storage_order::row_major);
    state_names.push_back(state_name(state_names, transform, slot));
    state_types.push_back(type);
    is_mixed = is_mixed || type != type_of<T>;
  }
  /// The memory of the next state.
  void place_state(const stored_array& array) {
    arrays.push_back(array);
    states.push_back(array.as<T>());
  }
  [[nodiscard]] std::size_t bytes() const { return size * bytes_of(values.type); }
};

/// The arrays of an optimizer.
template <class T>
struct storage {
  std::vector<bound_parameter<T>> parameters;
  std::vector<whole_parameter> wholes;
  aligned_array<std::byte> copies;  ///< of the parameters that are not contiguous
  aligned_array<std::byte> states;
  std::size_t state_bytes = 0;
  std::vector<std::vector<std::byte>> held_back;  ///< y of the averaged parameters, as it is stored, while they hold x
  bool at_evaluation_point = false;

  [[nodiscard]] bool has_sixteen_bit_parameters() const {
    return std::ranges::any_of(parameters, [](const auto& p) { return p.values.type != type_of<T>; });
  }

  /// Reads those copies from the user's memory, and writes them there.
  void gather() const {
    for (const auto& p : parameters)
      if (p.lies_in) p.lies_in->copy_to(p.values.data);
  }
  void scatter() const {
    for (const auto& p : parameters)
      if (p.lies_in) p.lies_in->copy_from(p.values.data);
  }
};

}  // namespace thalweg::detail
