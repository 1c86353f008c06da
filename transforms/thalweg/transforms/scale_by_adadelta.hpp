// scale_by_adadelta: scales the update by the size of earlier steps, so that it has the units of the parameter.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// v ← ρ·v + (1-ρ)·u²,  update d = √(s + ε)/√(v + ε)·u,  s ← ρ·s + (1-ρ)·d²
///
/// | field   | default | source                                                    |
/// |---------|---------|-----------------------------------------------------------|
/// | rho     | 0.9     | torch.optim.Adadelta; Zeiler, arXiv 1212.5701, has 0.95   |
/// | epsilon | 1e-6    | both                                                      |
///
/// Use lr = 1. State: `second_moment`, `squares_of_steps`, from zero.
///
///     auto adadelta = scale_by_adadelta{} | apply_update{};
struct scale_by_adadelta {
  double rho = 0.9;
  double epsilon = 1e-6;
  static constexpr const char* elsewhere[] = {"adadelta"};
  static constexpr auto fields = list{field{"rho", &scale_by_adadelta::rho, from(0).below(1)},
                                      field{"epsilon", &scale_by_adadelta::epsilon, square_epsilon}};

  using states = state<zeros<"second_moment">, zeros<"squares_of_steps">>;

  constexpr auto at(const context&) const {
    return [*this]<class T>(element<T> e, T second, T squares) {
      const T u = squarable(e.update);
      second = lerp(u * u, second, rho);
      const T d = u * (sqrt(squares + T(epsilon)) / sqrt(second + T(epsilon)));
      return next(d, second, lerp(d * d, squares, rho));
    };
  }
};

}  // namespace thalweg
