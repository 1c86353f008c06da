// Recipes with a case's hyper-parameters, for whoever replays them.
#pragma once

#include "replay.hpp"

namespace replay {

inline auto muon_of(hyperparameters& h) {
  return thalweg::recipes::muon({.momentum = h("momentum"),
                                 .auxiliary_lr = h("auxiliary_lr") / h("lr"),
                                 .beta1 = h("beta1"),
                                 .beta2 = h("beta2"),
                                 .epsilon = h("eps")});
}

inline auto amuse_of(hyperparameters& h) {
  return thalweg::recipes::amuse({.momentum = h("momentum"),
                                  .beta1 = h("beta1"),
                                  .rho = h("rho"),
                                  .auxiliary_lr = h("auxiliary_lr") / h("lr"),
                                  .beta2 = h("beta2"),
                                  .epsilon = h("eps")});
}

}  // namespace replay
