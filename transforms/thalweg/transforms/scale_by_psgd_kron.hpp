// scale_by_psgd_kron: a preconditioner for each side of a matrix, fitted step by step until the update is white.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/white_noise.hpp>

namespace thalweg {

namespace detail {
/// A factor Q of `rows` × `rows` numbers, upper triangular; or of `rows` numbers, its diagonal.
template <class T>
struct psgd_factor {
  T* data;  ///< null: the identity
  std::size_t rows;
  bool diagonal;
};
template <class T>
struct psgd_matrix {
  T* update;  ///< row-major
  psgd_factor<T> left, right;
};
struct psgd_step {
  double rate;
  bool begins, fits, transposed;  ///< transposed: V falls as on the row-major matrix
  white_noise v;
};
/// How many numbers of scratch memory are needed.
std::size_t psgd_scratch(std::size_t rows, std::size_t cols, std::size_t longest_factor);
void psgd_kron(const psgd_matrix<float>& m, const psgd_step& step, std::span<float> scratch) noexcept;
void psgd_kron(const psgd_matrix<double>& m, const psgd_step& step, std::span<double> scratch) noexcept;
}  // namespace detail

/// update QₗᵀQₗ·u·QᵣᵀQᵣ, with Qₗ and Qᵣ fitted before, where V is white noise: A = Qₗ·u·Qᵣᵀ, B = Qₗ⁻ᵀ·V·Qᵣ⁻¹,
/// Qₗ ← Qₗ - μ·triu(A·Aᵀ - B·Bᵀ)·Qₗ/‖A·Aᵀ + B·Bᵀ‖,  Qᵣ ← Qᵣ - μ·triu(Aᵀ·A - Bᵀ·B)·Qᵣ/‖Aᵀ·A + Bᵀ·B‖
///
/// | field   | default | source                                                                              |
/// |---------|---------|-------------------------------------------------------------------------------------|
/// | rate    | 0.1     | μ; PSGD, Li, arXiv 1512.04202, with Kronecker factors as in kron_torch              |
/// | flat    | 500     | kron_torch: the first steps, each of which fits Q                                   |
/// | fading  | 1e-3    | the same: after that, the share of steps that fit Q is e^(-fading·(t - flat))         |
/// | least   | 0.03    | the same: the smallest share of steps that fit Q |
/// | longest | 8192    | the same: a longer side has a diagonal factor; so does a vector |
/// | seed    | 0       | the seed of V, the same for all parameters                                          |
///
/// Tensor-wise; filters are (first, rest) matrices. ‖·‖ is a lower bound of the spectral norm: ‖M·x‖ for M's longest
/// column x, normalised. The steps that fit Q are spread evenly; kron_torch chooses them at random. An update of
/// zeros changes no Q. State: `left`, `right`, from the identity at the first step: m² + n² numbers for a matrix of m
/// × n.
///
///     auto c = ema{} | scale_by_psgd_kron{} | clip_by_rms{.max_rms = 1.1} | apply_update{};
struct scale_by_psgd_kron {
  double rate = 0.1;
  long flat = 500;
  double fading = 1e-3;
  double least = 0.03;
  long longest = 8192;
  long seed = 0;
  static constexpr auto fields = list{field{"rate", &scale_by_psgd_kron::rate, above(0).below(1)},
                                      field{"flat", &scale_by_psgd_kron::flat, from(1)},
                                      field{"fading", &scale_by_psgd_kron::fading, positive},
                                      field{"least", &scale_by_psgd_kron::least, above(0).to(1)},
                                      field{"longest", &scale_by_psgd_kron::longest, from(1)},
                                      field{"seed", &scale_by_psgd_kron::seed, from(0)}};

  [[nodiscard]] std::vector<std::size_t> left(const parameter_info& p) const { return factor(p, p.rows()); }
  [[nodiscard]] std::vector<std::size_t> right(const parameter_info& p) const {
    return p.shape.size() < 2 ? std::vector<std::size_t>{0} : factor(p, p.cols());
  }
  using states =
      state<shaped<"left", &scale_by_psgd_kron::left>, shaped<"right", &scale_by_psgd_kron::right>>;

  /// Whether Q is fitted at step t: whether the number of fits up to t is larger than up to t - 1.
  [[nodiscard]] bool fits(long t) const {
    const auto up_to = [&](long step) {  // to the nearest: whole numbers may come out a little less
      const double all = static_cast<double>(step < flat ? step : flat), since = static_cast<double>(step) - all;
      const double until_least = -std::log(least) / fading;
      const double faded = -std::expm1(-fading * min(since, until_least)) / fading;
      return static_cast<long>(all + faded + least * max(0.0, since - until_least) + 0.5);
    };
    return up_to(t) > up_to(t - 1);
  }

  void check(const parameter_info& p) const { check_is_no_stack("scale_by_psgd_kron", p); }
  [[nodiscard]] std::size_t scratch(const parameter_info& p) const {
    const auto side = [](const std::vector<std::size_t>& shape) { return shape.size() < 2 ? 0 : shape[0]; };
    return detail::psgd_scratch(p.rows(), p.cols(), std::max(side(left(p)), side(right(p))));
  }

  template <class T>
  void apply(const context& c, tensor<T> u, std::span<T> scratch, tensor<T> left, tensor<T> right) const noexcept {
    const auto factor_of = [](const tensor<T>& q) {
      return detail::psgd_factor<T>{q.size() ? q.data : nullptr, q.shape[0], q.rank() == 1};
    };
    detail::psgd_matrix<T> m{u.data, factor_of(left), factor_of(right)};
    if (!m.right.data) m.right.rows = 1;
    if (u.order == storage_order::column_major) std::swap(m.left, m.right);  // the transposed matrix
    detail::psgd_kron(m,
                      {.rate = rate, .begins = c.step == 1, .fits = fits(c.step),
                         .transposed = u.order == storage_order::column_major, .v = white_noise(seed, c.step, "")},
                      scratch);
  }

private:
  [[nodiscard]] std::vector<std::size_t> factor(const parameter_info& p, std::size_t n) const {
    const bool diagonal = p.shape.size() < 2 || n == 1 || n > static_cast<std::size_t>(longest);
    return diagonal ? std::vector{n} : std::vector{n, n};
  }
};

}  // namespace thalweg
