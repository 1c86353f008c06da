// scale_by_layer_norm: NovoGrad's second moment, one number per parameter.
#pragma once

#include <vector>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// v ← β₂·v + (1-β₂)·‖u‖²,  from v = ‖u‖² at the first step;  update u / (√v + ε)
///
/// | field   | default | source                                             |
/// |---------|---------|----------------------------------------------------|
/// | beta2   | 0.98    | NovoGrad, Ginsburg et al., arXiv 1905.11286        |
/// | epsilon | 1e-8    | its code                                           |
///
/// NovoGrad adds the decay, and then takes the momentum:
/// `scale_by_layer_norm | decay_weights | heavyball_momentum{.beta = 0.95}`. Tensor-wise. State: `norm`, √v.
///
///     auto novograd = scale_by_layer_norm{} | decay_weights{} | heavyball_momentum{.beta = 0.95} | apply_update{};
struct scale_by_layer_norm {
  double beta2 = 0.98;
  double epsilon = 1e-8;
  static constexpr const char* elsewhere[] = {"novograd", "scale_by_novograd"};
  static constexpr auto fields = list{field{"beta2", &scale_by_layer_norm::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_layer_norm::epsilon, root_epsilon}};

  [[nodiscard]] std::vector<std::size_t> one(const parameter_info&) const { return {1}; }
  using states = state<shaped<"norm", &scale_by_layer_norm::one>>;

  template <class T>
  void apply(const context& c, tensor<T> update, tensor<T> norm) const noexcept {
    double now = 0;
    for (const T x : update.values()) now += static_cast<double>(x) * static_cast<double>(x);
    const double before = static_cast<double>(norm.data[0]);
    norm.data[0] = saturated<T>(sqrt(c.step == 1 ? now : lerp(now, before * before, beta2)));
    const double by = 1 / (static_cast<double>(norm.data[0]) + epsilon);
    for (T& x : update.values()) x = static_cast<T>(by * static_cast<double>(x));
  }
};

}  // namespace thalweg
