// scale_by_rprop: each element has its own step size, which depends only on the signs of the gradients.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// If u and the previous u have the same sign, s ← min(longer·s, longest). If they have opposite signs, s ←
/// max(shorter·s, least) and u ← 0. Update sign(u)·s.
///
/// | field   | default | source                                                        |
/// |---------|---------|---------------------------------------------------------------|
/// | initial | 0.01    | torch.optim.Rprop's lr; Riedmiller & Braun 1993               |
/// | longer  | 1.2     | the same                                                      |
/// | shorter | 0.5     | the same                                                      |
/// | least   | 1e-6    | the same                                                      |
/// | longest | 50      | the same                                                      |
///
/// For the gradient of all data, with lr = 1. `least` is at most `longest`. State: `previous`, from zero; `step`, from
/// `initial`.
///
///     auto rprop = scale_by_rprop{} | apply_update{};
struct scale_by_rprop {
  double initial = 0.01;
  double longer = 1.2;
  double shorter = 0.5;
  double least = 1e-6;
  double longest = 50;
  static constexpr const char* elsewhere[] = {"rprop"};
  static constexpr auto fields = list{field{"initial", &scale_by_rprop::initial, positive},
                                      field{"longer", &scale_by_rprop::longer, above(1)},
                                      field{"shorter", &scale_by_rprop::shorter, above(0).below(1)},
                                      field{"least", &scale_by_rprop::least, positive},
                                      field{"longest", &scale_by_rprop::longest, positive}};

  using states = state<zeros<"previous">, filled<"step", &scale_by_rprop::initial>>;

  constexpr auto at(const context&) const {
    if (least > longest) throw error("scale_by_rprop", "Expected least <= longest. Received ", least, " and ", longest, ".");
    return [*this]<class T>(element<T> e, T previous, T step) {
      const T agree = sign(e.update) * sign(previous);
      step = where(agree > T(0), min(T(longer) * step, T(longest)),
                   where(agree < T(0), max(T(shorter) * step, T(least)), step));
      const T u = where(agree < T(0), T(0), e.update);
      return next(sign(u) * step, u, step);
    };
  }
};

}  // namespace thalweg
