// orthogonalize_update on the device: matrices of one shape go through Newton–Schulz together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/cuda/arena.hpp>
#include <thalweg/cuda/device.hpp>
#include <thalweg/cuda/device_form.hpp>
#include <thalweg/cuda/linear_algebra.hpp>
#include <thalweg/cuda/batched_newton_schulz.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>

namespace thalweg::cuda {

/// Numbers that depend on the device, not on the mathematics. (Estimated, not measured.)
struct orthogonalization_limits {
  std::size_t workspace = std::size_t{256} << 20;  ///< bytes that many matrices share; a single one may need more
  std::size_t halved_from = 2048;  ///< from this short side on, only about half of each symmetric product is computed
};

/// Computes the same as the transform (thalweg/transforms/orthogonalize_update.hpp). Precision float32 multiplies
/// floats (no TF32); bfloat16 and float16 round the factors to these types, for any size; sums are float. Matrices of
/// one shape are computed together. For another number of matrices cuBLAS may add in another order.
template <class T>
struct device_form<orthogonalize_update, T> {
  device_form(const orthogonalize_update& transform, std::span<const device_update<T>> updates, cudaStream_t stream,
              const orthogonalization_limits& limits = {})
      : limits_(limits), blas_(stream) {
    if (transform.looks_at_update() || transform.norm != norm::frobenius)
      throw error("orthogonalize_update", "Expected on a device: norm=frobenius, and a scale of the shape. Received ",
                  to_text(transform), ".");
    std::vector<T*> table;
    for (std::size_t i = 0; i < updates.size(); ++i) {
      const auto& u = updates[i];
      const auto is_like_u = [&](const auto& other) {
        return other.rows == u.rows && other.cols == u.cols && other.order == u.order;
      };
      if (!u.rows || !u.cols || std::ranges::any_of(updates.first(i), is_like_u)) continue;
      group g{u.rows, u.cols, extent_of(u), table.size(), 0};
      for (const auto& other : updates.subspan(i))
        if (is_like_u(other)) table.push_back(other.data);
      g.count = table.size() - g.first;
      groups_.push_back(g);
    }
    std::size_t bytes = 0;
    for (const group& g : groups_) {
      const std::size_t chosen = bytes_of(choose(transform, g.shape, ~std::size_t{0}), g.shape);
      const std::size_t one = std::max(chosen, bytes_of({precision::float32, {1}}, g.shape));
      bytes = std::max({bytes, one, std::min(one * g.count, limits.workspace)});
    }
    workspace_ = device_array<std::byte>(bytes);
    updates_ = device_array<T*>(table.size());
    copy(table.data(), table.size(), updates_.data(), stream);
    synchronize(stream);  // the table goes
  }

  void operator()(const orthogonalize_update& transform, const context&) const {
    for (const group& g : groups_) {
      const choice c = choose(transform, g.shape, workspace_.size());
      const std::size_t together = workspace_.size() / bytes_of(c, g.shape);
      const double scale = factor(transform.scale, g.rows, g.cols);
      for (std::size_t done = 0; done < g.count; done += together) {
        const std::size_t count = std::min(together, g.count - done);
        T* const* const updates = updates_.data() + g.first + done;
        with_factors(c.factors, [&]<class Factor>(std::type_identity<Factor>) {
          detail::arena memory(workspace_.data());
          detail::batched_newton_schulz<T, Factor> iteration(g.shape, count, c.groups, limits_.halved_from, memory);
          iteration(transform, c.groups, blas_, updates, scale);
        });
      }
    }
  }

  [[nodiscard]] std::string computed_by() const { return blas_.name(); }
  [[nodiscard]] std::size_t scratch_bytes() const { return workspace_.size() + blas_.workspace_bytes(); }

private:
  struct group {
    std::size_t rows, cols;
    detail::extent shape;
    std::size_t first, count;  // in the table of updates
  };
  struct choice {
    precision factors;
    thalweg::detail::grouping groups;
  };

  orthogonalization_limits limits_;
  cublas blas_;
  std::vector<group> groups_;
  device_array<T*> updates_;
  device_array<std::byte> workspace_;

  // A square matrix is taken by its rows, in whichever order they lie in memory.
  static detail::extent extent_of(const device_update<T>& u) {
    const bool by_rows = u.order == storage_order::row_major;
    return {by_rows ? u.rows : u.cols, by_rows ? u.cols : u.rows, (u.rows > u.cols) == by_rows};
  }

  // f(type of factors)
  template <class F>
  static auto with_factors(precision p, F f) {
    if constexpr (std::is_same_v<T, float>) {
      if (p == precision::bfloat16) return f(std::type_identity<bf16>());
      if (p == precision::float16) return f(std::type_identity<fp16>());
    }
    return f(std::type_identity<T>());
  }

  static std::size_t bytes_of(const choice& c, const detail::extent& shape) {
    return with_factors(c.factors, [&]<class Factor>(std::type_identity<Factor>) {
      return detail::batched_newton_schulz<T, Factor>::bytes(shape, 1, c.groups);
    });
  }

  // Of what fits into `room` bytes: it was measured for the options at binding, and they may have moved.
  choice choose(const orthogonalize_update& transform, const detail::extent& shape, std::size_t room) const {
    choice best{std::is_same_v<T, float> ? transform.precision : precision::float32, {1}};
    if (bytes_of(best, shape) > room) best.factors = precision::float32;
    // The Gram matrix forgets small singular values, the sooner the coarser the arithmetic.
    const std::size_t stable = best.factors == precision::float32 ? 3 : 2;
    const double ratio = static_cast<double>(shape.long_side()) / static_cast<double>(shape.short_side());
    const double symmetric = shape.short_side() < limits_.halved_from ? 1 : 0.75;
    const auto time = [&](thalweg::detail::grouping g) {
      return g.cost(static_cast<std::size_t>(transform.steps), ratio, symmetric, symmetric);
    };
    for (std::size_t longest = 2; longest <= stable; ++longest)
      if (time({longest}) < time(best.groups) && bytes_of({best.factors, {longest}}, shape) <= room)
        best.groups = {longest};
    return best;
  }
};

}  // namespace thalweg::cuda
