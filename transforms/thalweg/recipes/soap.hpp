// soap: Adam in the eigenbasis of Shampoo's preconditioners.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/route.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/scale_by_soap.hpp>

namespace thalweg::recipes {

/// Vyas et al., arXiv 2409.11321: SOAP for hidden matrices, Adam for all others. Defaults: the authors' code, with lr
/// 3e-3 and weight decay 0.01.
///
///     auto opt = optimizer(recipes::soap(), parameters, {.lr = 3e-3, .weight_decay = 0.01});
struct soap {
  double beta1 = scale_by_soap{}.beta1;
  double beta2 = scale_by_soap{}.beta2;
  double epsilon = scale_by_soap{}.epsilon;
  double preconditioner_beta = scale_by_soap{}.preconditioner_beta;
  long period = scale_by_soap{}.period;
  soap_sides sides = scale_by_soap{}.sides;
  static constexpr auto fields =
      list{field{"beta1", &soap::beta1, range_of(&scale_by_soap::beta1)},
           field{"beta2", &soap::beta2, range_of(&scale_by_soap::beta2)},
           field{"epsilon", &soap::epsilon, range_of(&scale_by_soap::epsilon)},
           field{"preconditioner_beta", &soap::preconditioner_beta, range_of(&scale_by_soap::preconditioner_beta)},
           field{"period", &soap::period, range_of(&scale_by_soap::period)},
           field{"sides", &soap::sides}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return route(when(hidden_matrix,
                      scale_by_soap{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon,
                                    .preconditioner_beta = preconditioner_beta, .period = period, .sides = sides}),
                 otherwise(scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon})) |
           apply_update{};
  }
};

}  // namespace thalweg::recipes
