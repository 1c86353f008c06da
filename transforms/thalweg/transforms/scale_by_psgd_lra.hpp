// scale_by_psgd_lra: a preconditioner of a diagonal and a few directions, fitted step by step until the update is white.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/white_noise.hpp>

namespace thalweg {

namespace detail {
/// One parameter's numbers as they lie. `left` and `right`, Uᵀ and Vᵀ, have `rank` × `size` numbers; `steepness` has 3.
template <class T>
struct lra_vector {
  T *update, *diagonal, *left, *right, *steepness;
  std::size_t size, rank;
};
struct lra_step {
  double rate, beta, damping;
  bool turns_left;
  white_noise noise;
  std::size_t rows, cols;  ///< number k of memory is number (k mod cols)·rows + k/cols of the noise
};
/// `scratch` holds (rank + 5)·size numbers.
void psgd_lra(const lra_vector<float>& p, const lra_step& step, std::span<float> scratch) noexcept;
void psgd_lra(const lra_vector<double>& p, const lra_step& step, std::span<double> scratch) noexcept;
}  // namespace detail

/// update QᵀQ·u for Q = (I + U·Vᵀ)·diag(d), fitted before, where ν is white noise: h = u + δ·ν, a = Q·h, b = Q⁻ᵀ·ν,
/// d ← d - μ/ℓ₁·(Qᵀ·a ∘ h - ν ∘ Q⁻¹·b) ∘ d, and in turns
/// U ← U - μ/ℓ₂·(a·aᵀ - b·bᵀ)·V·(I + Vᵀ·U)  or  V ← V - μ/ℓ₃·(I + V·Uᵀ)·(a·aᵀ - b·bᵀ)·U
///
/// | field   | default | source                                                                                   |
/// |---------|---------|------------------------------------------------------------------------------------------|
/// | rank    | 10      | psgd_torch's LRAWhiten, Li, arXiv 2402.11858; 0 is a diagonal. Less than the numbers      |
/// | rate    | 0.1     | μ; the same                                                                              |
/// | beta    | 0.9     | the same: betaL, with which ℓ forgets what was steeper                                    |
/// | damping | 1e-9    | δ; the same                                                                              |
/// | seed    | 0       | the seed of the noise, the same for all parameters                                       |
///
/// For parameters of any rank, vectors too. The ℓ are the lengths of these changes: ℓ₁ = max|Qᵀ·a ∘ h| + max|ν ∘ Q⁻¹·b|,
/// ℓ₂ = ‖a‖·‖V·Vᵀ·a‖ + ‖b‖·‖V·Vᵀ·b‖, ℓ₃ the same with U; each is max(β·ℓ_before + (1-β)·ℓ, ℓ). Before each fit U and V come nearer to
/// UᵀU = VᵀV. psgd_torch tosses a coin between U and V, and has one Q for all parameters; here each has its own.
///
/// Q begins with the first update that is not zero: d = (mean(u⁴) + δ⁴)^(-1/8), U and V noise of length √0.1. Later, an update of
/// zeros changes no Q. Tensor-wise. State, from zero: `diagonal`, `left`, `right`, `steepness` (the √ℓ): 2r + 1 numbers for each
/// of the parameter's, and 3.
///
///     auto c = ema{} | scale_by_psgd_lra{.rank = 10} | clip_by_rms{.max_rms = 1.1} | apply_update{};
struct scale_by_psgd_lra {
  long rank = 10;
  double rate = 0.1;
  double beta = 0.9;
  double damping = 1e-9;
  long seed = 0;
  static constexpr auto fields = list{field{"rank", &scale_by_psgd_lra::rank, from(0).to(1000)},
                                      field{"rate", &scale_by_psgd_lra::rate, above(0).below(1)},
                                      field{"beta", &scale_by_psgd_lra::beta, from(0).below(1)},
                                      field{"damping", &scale_by_psgd_lra::damping, above(0).below(1)},
                                      field{"seed", &scale_by_psgd_lra::seed, from(0)}};

  [[nodiscard]] std::vector<std::size_t> directions(const parameter_info& p) const { return {rank_of(p.size()), p.size()}; }
  [[nodiscard]] std::vector<std::size_t> steepness(const parameter_info&) const { return {3}; }
  using states = state<zeros<"diagonal">, shaped<"left", &scale_by_psgd_lra::directions>,
                       shaped<"right", &scale_by_psgd_lra::directions>, shaped<"steepness", &scale_by_psgd_lra::steepness>>;

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const { return (rank_of(p.size()) + 5) * p.size(); }

  template <class T>
  void apply(const context& c, tensor<T> u, std::span<T> scratch, tensor<T> diagonal, tensor<T> left, tensor<T> right,
             tensor<T> steepness) const noexcept {
    const bool lies_across = u.order == storage_order::column_major;
    detail::psgd_lra({u.data, diagonal.data, left.data, right.data, steepness.data, u.size(), rank_of(u.size())},
                     {.rate = rate, .beta = beta, .damping = damping, .turns_left = c.step % 2 == 1,
                      .noise = white_noise(seed, c.step, ""),
                      .rows = lies_across ? u.cols() : 1, .cols = lies_across ? u.rows() : u.size()},
                     scratch);
  }

private:
  [[nodiscard]] std::size_t rank_of(std::size_t size) const { return std::min(static_cast<std::size_t>(rank), size - 1); }
};

}  // namespace thalweg
