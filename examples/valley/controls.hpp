#pragma once
// Riders that isolate one part of a chain: they differ in what they orthogonalise. They move only the hidden matrices, where
// Muon differs.

#include <string>
#include <utility>
#include <vector>

#include "../race/contenders.hpp"

namespace valley {

inline std::vector<race::contender> controls() {
  const auto alone = [](std::string key, std::string name, const std::string& chain) {
    return race::contender{.key = std::move(key), .name = std::move(name),
                           .chain = "route(when(hidden_matrix, " + chain + "), otherwise(scale_lr(0)))"};
  };
  return {alone("gradient", "gradient", "scale_lr(1)"), alone("momentum", "momentum", "nesterov_ema"),
          alone("adam", "Adam", "scale_by_adam"),
          alone("orthogonalised", "orthogonalised momentum", "nesterov_ema | orthogonalize_update(scale=match_rms(rms=0.2))")};
}

}  // namespace valley
