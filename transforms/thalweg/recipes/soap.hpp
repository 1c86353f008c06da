// soap: Adam in the eigenbasis of Shampoo's preconditioners.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/route.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/scale_by_soap.hpp>

namespace thalweg::recipes {

struct soap_options {
  double beta1 = 0.95;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double preconditioner_beta = 0.95;
  long period = 10;
  soap_sides sides = soap_sides::both;
  static constexpr auto fields =
      list{field{"beta1", &soap_options::beta1, range_of(&scale_by_soap::beta1)},
           field{"beta2", &soap_options::beta2, range_of(&scale_by_soap::beta2)},
           field{"epsilon", &soap_options::epsilon, range_of(&scale_by_soap::epsilon)},
           field{"preconditioner_beta", &soap_options::preconditioner_beta, range_of(&scale_by_soap::preconditioner_beta)},
           field{"period", &soap_options::period, range_of(&scale_by_soap::period)},
           field{"sides", &soap_options::sides}};
};

/// Vyas et al., arXiv 2409.11321: SOAP for hidden matrices, Adam for the rest. Defaults: the authors' code, with lr 3e-3
/// and weight decay 0.01.
///
///     auto opt = optimizer(recipes::soap(), parameters, {.lr = 3e-3, .weight_decay = 0.01});
constexpr auto soap(soap_options o = {}) {
  return route(when(hidden_matrix,
                    scale_by_soap{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon,
                                  .preconditioner_beta = o.preconditioner_beta, .period = o.period, .sides = o.sides}),
               otherwise(scale_by_adam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon})) |
         apply_update{};
}

}  // namespace thalweg::recipes
