// scale_by_fan_in: steps that depend on the width of a matrix's input, as in muP.
#pragma once

#include <cstddef>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u·(n/base)^power for a matrix of n columns
///
/// | field | default | source                                                                                       |
/// |-------|---------|----------------------------------------------------------------------------------------------|
/// | power | -1      | muP with Adam, Yang et al., arXiv 2203.03466; Scion's output layer, arXiv 2502.07529         |
/// | base  | 1       | the width at which lr was tuned: there the update stays as it is                             |
///
/// Filters are viewed as (first, rest). Vectors do not change. Weight decay is not scaled. The example is muP for a network that
/// multiplies the output of its head by 1/n. Tensor-wise.
///
///     auto mup = scale_by_adam{} | route(when(hidden_matrix, scale_by_fan_in{.base = 256}), otherwise()) | apply_update{};
struct scale_by_fan_in {
  double power = -1;
  double base = 1;
  static constexpr auto fields = list{field{"power", &scale_by_fan_in::power, from(-2).to(2)},
                                      field{"base", &scale_by_fan_in::base, positive}};

  void check(const parameter_info& p) const { check_is_no_stack("scale_by_fan_in", p); }
  template <class T>
  void apply(const context&, tensor<T> update) const noexcept {
    const double by = update.rank() < 2 ? 1 : pow(static_cast<double>(update.cols()) / base, power);
    for (T& u : update.values()) u = saturated<T>(by * static_cast<double>(u));
  }
};

}  // namespace thalweg
