// centralize_gradient: the mean of every row of a matrix becomes 0.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u_ij - mean_j(u_ij), for filters over all dimensions except the first; vectors do not change
///
/// Gradient centralization (Yong et al., arXiv 2004.01461). Tensor-wise.
///
///     auto c = centralize_gradient{} | scale_by_adam{};
struct centralize_gradient {
  void check(const parameter_info& p) const { check_is_no_stack("centralize_gradient", p); }
  template <class T>
  void apply(const context&, tensor<T> update) const noexcept {
    if (update.rank() < 2) return;
    const auto u = update.matrix();
    for (std::size_t i = 0; i < u.rows; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < u.cols; ++j) sum += u(i, j);
      const T mean = static_cast<T>(sum / static_cast<double>(u.cols));
      for (std::size_t j = 0; j < u.cols; ++j) u(i, j) -= mean;
    }
  }
};

}  // namespace thalweg
