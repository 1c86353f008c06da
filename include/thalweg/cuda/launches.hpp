// The launches of a program: functions that start CUDA kernels, found by the types of its transforms. Their callers do
// not need the types of a chain.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <cuda_runtime.h>
#include <thalweg/core/plan.hpp>
#include <thalweg/core/stored.hpp>
#include <thalweg/cuda/device_form.hpp>

namespace thalweg::cuda::detail {

using thalweg::detail::rounding;
using thalweg::detail::scrambled;
using thalweg::detail::stored_array;
using thalweg::detail::type_id;

/// The work of a block: the elements [number · elements, (number + 1) · elements) of a parameter, a row of the device's
/// tables.
struct chunk {
  std::uint32_t row, number;
};
constexpr std::size_t chunk_elements = 4096, reduced_elements = 16384;  // of a pass, of a sum

/// A gradient of the user's.
struct given_gradient {
  const void* data = nullptr;
  number_type type{};

  bool operator==(const given_gradient&) const = default;
};

/// The parameters of one path, for a launch at a position of this path. All is in device memory.
template <class T>
struct members {
  static constexpr std::size_t parameter = 0, update = 1, first_state = 2;  ///< columns

  const chunk* chunks;
  std::size_t chunk_count;
  const std::size_t* sizes;  ///< by row, as all tables
  const given_gradient* gradients;
  const stored_array* arrays;  ///< the parameter, room for its update (of T), its states
  std::size_t columns;
  bool in_place;               ///< all these arrays are of T
  const std::uint64_t* names;  ///< by row
  std::uint64_t chance;        ///< of the step
  std::size_t all_states;      ///< how many there are
  bool by_chance;              ///< parameters of 16 bits are rounded so; states always are
  bool from_gradient;    ///< nothing has changed the update yet
  std::size_t gathered;  ///< the column of what a gate has gathered: all behind it, the gradient; 0 if there is none
  std::size_t states;    ///< the column of the first state here
  const double* sums;    ///< at a transform that reduces; those of a row at sums + row · stride
  std::size_t stride;

  [[nodiscard]] constexpr const stored_array& array(std::size_t row, std::size_t column) const {
    return arrays[row * columns + column];
  }
  [[nodiscard]] constexpr stored_array gradient(std::size_t row) const {
    return gathered ? array(row, gathered) : given(row);
  }
  [[nodiscard]] constexpr stored_array before(std::size_t row) const {
    return from_gradient ? given(row) : array(row, update);
  }
  /// How the step rounds, as on the host: the parameter, and a state.
  [[nodiscard]] constexpr rounding rounded_parameter(std::size_t row) const {
    return by_chance ? rounding{stream(row, all_states)} : rounding{};
  }
  [[nodiscard]] constexpr rounding rounded_state(std::size_t row, std::size_t column) const {
    return {stream(row, column - first_state)};
  }

private:
  [[nodiscard]] constexpr std::uint64_t stream(std::size_t row, std::size_t number) const {
    return scrambled(scrambled(chance, names[row]), std::uint64_t{number});
  }
  [[nodiscard]] constexpr stored_array given(std::size_t row) const {
    return {const_cast<void*>(gradients[row].data), gradients[row].type};  // is only read
  }
};

/// The chunks of a total: those from first[i] to first[i + 1] for the i-th; without `first`, all `count`.
struct chunk_range {
  const std::uint32_t* first = nullptr;
  std::uint32_t all = 0;

  [[nodiscard]] constexpr std::uint32_t begin(std::size_t i) const { return first ? first[i] : 0; }
  [[nodiscard]] constexpr std::uint32_t end(std::size_t i) const { return first ? first[i + 1] : all; }
};

/// Consecutive kernels in one pass over all members.
template <class T>
using pass_launch = void (*)(cudaStream_t stream, const members<T>& all, const void* const* prepared);

template <class T>
struct launched_pass {
  std::vector<type_id> kernels;  ///< the types of their transforms
  pass_launch<T> run;
};

/// A device form without its type.
struct any_form {
  std::function<void(const void* prepared)> run;
  std::string computed_by{};
  std::size_t scratch_bytes = 0;
};

/// The launches of a transform of one type besides its kernel in a pass. Those of other kinds are null. `transform`: an
/// object of that type.
template <class T>
struct launched_transform {
  type_id type;
  /// partials[chunk] = Σ over a chunk
  void (*sum_chunks)(cudaStream_t, const members<T>&, const void* prepared, double* partials) = nullptr;
  /// totals[i] = Σ partials, for `count` of them
  void (*add_up)(cudaStream_t, const double* partials, chunk_range of, std::size_t count, double* totals) = nullptr;
  void (*absorb)(cudaStream_t, const members<T>&, const void* transform, long call) = nullptr;
  /// x of one parameter of n elements; `out` may be y.
  void (*average)(cudaStream_t, const void* transform, const double* scalars, std::size_t n, const stored_array& y,
                  const stored_array* states, T* out) = nullptr;
  any_form (*form)(const void* transform, std::span<const device_update<T>>, cudaStream_t) = nullptr;
};

/// All launches.
template <class T>
struct launches {
  std::vector<launched_pass<T>> passes;
  std::vector<launched_transform<T>> transforms;

  // Null is what is not known.
  [[nodiscard]] const launched_transform<T>* find(type_id type) const {
    const auto at = std::ranges::find(transforms, type, &launched_transform<T>::type);
    return at == transforms.end() ? nullptr : &*at;
  }
  [[nodiscard]] pass_launch<T> find(std::span<const type_id> kernels) const {
    const auto at = std::ranges::find_if(passes, [&](const auto& p) { return std::ranges::equal(p.kernels, kernels); });
    return at == passes.end() ? nullptr : at->run;
  }
};

}  // namespace thalweg::cuda::detail
