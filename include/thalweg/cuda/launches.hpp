// What is launched for a program: functions that start kernels, found by the types of its transforms. Whoever calls
// them knows no type of a chain's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <cuda_runtime.h>
#include <thalweg/core/plan.hpp>
#include <thalweg/cuda/device_form.hpp>

namespace thalweg::cuda::detail {

using thalweg::detail::type_id;

/// A block's share of the work: the elements [number · elements, (number + 1) · elements) of a member.
struct chunk {
  std::uint32_t member, number;
};
constexpr std::size_t chunk_elements = 4096, reduced_elements = 16384;  // of a pass, of a sum

/// All chunks of members of these sizes, in their order.
inline std::vector<chunk> chunks_of(std::span<const std::size_t> sizes, std::size_t elements) {
  std::vector<chunk> all;
  for (std::size_t m = 0; m < sizes.size(); ++m)
    for (std::size_t n = 0; n * elements < sizes[m]; ++n)
      all.push_back({static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(n)});
  return all;
}

/// The parameters that take one path, its members, as a launch at a position of the path sees them. All is in device
/// memory.
template <class T>
struct members {
  static constexpr std::size_t parameter = 0, update = 1, first_state = 2;  ///< columns

  const chunk* chunks;
  std::size_t chunk_count;
  const std::size_t* sizes;
  const T* const* gradients;
  T* const* arrays;  ///< a row for each member: the parameter, room for its update, its states
  std::size_t row;
  bool from_gradient;    ///< nothing has changed the update yet
  std::size_t gathered;  ///< the column of what a gate has gathered: all behind it, the gradient; 0 if there is none
  std::size_t states;    ///< the column of the first state here
  const double* sums;    ///< at a transform that reduces; those of member m at sums + m · stride
  std::size_t stride;

  [[nodiscard]] constexpr T* array(std::size_t member, std::size_t column) const {
    return arrays[member * row + column];
  }
  [[nodiscard]] constexpr const T* gradient(std::size_t member) const {
    return gathered ? array(member, gathered) : gradients[member];
  }
  [[nodiscard]] constexpr const T* before(std::size_t member) const {
    return from_gradient ? gradients[member] : array(member, update);
  }
};

/// Consecutive kernels in one pass over all members.
template <class T>
using pass_launch = void (*)(cudaStream_t stream, const members<T>& all, const void* const* prepared);

template <class T>
struct launched_pass {
  std::vector<type_id> kernels;  ///< the types of their transforms
  pass_launch<T> run;
};

/// A device form, its transform's type forgotten.
template <class T>
class any_form {
public:
  virtual ~any_form() = default;
  virtual void operator()(const void* prepared) = 0;
  [[nodiscard]] virtual std::string computed_by() const { return ""; }
  [[nodiscard]] virtual std::size_t scratch_bytes() const { return 0; }
};

/// What a transform of one type does on a device beside its kernel in a pass. What is not its kind's is never called.
/// `transform`: an object of that type.
template <class T>
class launched_transform {
public:
  virtual ~launched_transform() = default;

  /// partials[chunk] = Σ over a chunk, then totals[i] = Σ over the chunks [first[i], first[i + 1]).
  virtual void sum_chunks(cudaStream_t, const members<T>&, const void* /*prepared*/, double* /*partials*/) const {}
  virtual void add_up(cudaStream_t, const double* /*partials*/, const std::uint32_t* /*first*/, std::size_t /*count*/,
                      double* /*totals*/) const {}
  virtual void absorb(cudaStream_t, const members<T>&, const void* /*transform*/, long /*call*/) const {}
  /// x of one parameter of n elements; `out` may be y.
  virtual void average(cudaStream_t, const void* /*transform*/, const double* /*scalars*/, std::size_t /*n*/, T* /*y*/,
                       T* const* /*states*/, T* /*out*/) const {}
  virtual std::unique_ptr<any_form<T>> form(const void* /*transform*/, std::span<const device_update<T>>,
                                            cudaStream_t) const {
    return nullptr;
  }
};

/// All that can be launched.
template <class T>
struct launches {
  struct known_transform {
    type_id type;
    const launched_transform<T>* launched;
  };
  std::vector<launched_pass<T>> passes;
  std::vector<known_transform> transforms;

  /// Null if it is not known.
  [[nodiscard]] const launched_transform<T>* find(type_id type) const {
    const auto at = std::ranges::find(transforms, type, &known_transform::type);
    return at == transforms.end() ? nullptr : at->launched;
  }
  /// The pass that runs the most of these kernels, from the first on; null if there is none.
  [[nodiscard]] const launched_pass<T>* longest(std::span<const type_id> kernels) const {
    const launched_pass<T>* best = nullptr;
    for (const auto& p : passes)
      if (p.kernels.size() <= kernels.size() && (!best || p.kernels.size() > best->kernels.size()) &&
          std::ranges::equal(p.kernels, kernels.first(p.kernels.size())))
        best = &p;
    return best;
  }
};

}  // namespace thalweg::cuda::detail
