// Optimizers without an average and without matrices.
#include "replay.hpp"

namespace replay {

using namespace thalweg;

replayers plain() {
  return {
      {"sgd",
       [](const json& c, hyperparameters& h) {
         const auto o = options_of(h);
         const double momentum = h("momentum", 0);
         return h("nesterov", 0) ? run(c, decay_weights{} | nesterov_momentum{.beta = momentum} | apply_update{}, o)
                                 : run(c, recipes::sgd({.momentum = momentum}), o);
       }},
      {"adam",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::adam({.beta1 = h("beta1"), .beta2 = h("beta2"), .epsilon = h("eps")}),
                    options_of(h));
       }},
      {"adamw",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::adamw({.beta1 = h("beta1"), .beta2 = h("beta2"), .epsilon = h("eps")}),
                    options_of(h));
       }},
      {"lion",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::lion({.beta1 = h("beta1"), .beta2 = h("beta2")}),
                    options_of(h));
       }},
      {"rmsprop",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::rmsprop({.beta = h("alpha"), .epsilon = h("eps")}),
                    options_of(h));
       }},
      {"adagrad",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::adagrad({.initial = h("initial_accumulator_value", 0), .epsilon = h("eps")}),
                    options_of(h));
       }},
  };
}

}  // namespace replay
