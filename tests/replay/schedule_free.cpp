// facebookresearch/schedule_free's optimizers.
#include <thalweg/recipes/sf_adamw.hpp>
#include <thalweg/recipes/sf_radam.hpp>
#include <thalweg/recipes/sf_sgd.hpp>

#include "replay.hpp"

namespace replay {

using namespace thalweg;

replayers schedule_free() {
  return {
      {"schedule_free_sgd",
       [](const json& c, hyperparameters& h) { return run(c, recipes::sf_sgd({.beta = h("momentum")}), options_of(h)); }},
      {"schedule_free_adamw",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::sf_adamw({.beta1 = h("beta1"), .beta2 = h("beta2"), .epsilon = h("eps")}), options_of(h));
       }},
      {"schedule_free_radam",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::sf_radam({.beta1 = h("beta1"), .beta2 = h("beta2"), .epsilon = h("eps")}),
                    options_of(h));
       }},
  };
}

}  // namespace replay
