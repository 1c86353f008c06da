// HeavyBall's optimizers: thalweg's own, with the options that say where HeavyBall departs from the papers.
#include <thalweg/recipes/ademamix.hpp>
#include <thalweg/recipes/adopt.hpp>
#include <thalweg/recipes/laprop.hpp>

#include "replay.hpp"

namespace replay {

using namespace thalweg;

namespace {

// Its warm-up ends a step later, as in tests/replay/muon.cpp.
options heavyball_options(hyperparameters& h) {
  auto o = options_of(h);
  ++o.warmup_steps;
  return o;
}

// Its denominator is max(√v̂, ε).
scale_by_adam heavyball_adam(hyperparameters& h) {
  const auto betas = h.list("betas");
  return {.beta1 = betas.at(0), .beta2 = betas.at(1), .epsilon = 0, .floor = h("eps")};
}

}  // namespace

replayers heavyball_chains() {
  return {
      {"cautious_adamw",
       [](const json& c, hyperparameters& h) {
         if (!h("caution")) return run(c, chain(heavyball_adam(h)), heavyball_options(h));
         return run(c, heavyball_adam(h) | cautious{.rule = caution_rule::heavyball}, heavyball_options(h));
       }},
      {"mars_adamw",
       [](const json& c, hyperparameters& h) {
         const auto adam = heavyball_adam(h);
         return run(c, mars{.gamma = h("mars") * h("mars_gamma"), .beta1 = adam.beta1} | adam, heavyball_options(h));
       }},
      {"laprop",
       [](const json& c, hyperparameters& h) {
         const auto betas = h.list("betas");
         return run(c, recipes::laprop({.beta1 = betas.at(0), .beta2 = betas.at(1), .epsilon = 0, .floor = h("eps")}),
                    heavyball_options(h));
       }},
      {"adopt",
       [](const json& c, hyperparameters& h) {
         const auto betas = h.list("betas");
         return run(c,
                    recipes::adopt({.beta1 = betas.at(0),
                                    .beta2 = betas.at(1),
                                    .epsilon = h("eps"),
                                    .start = adopt_start::unbiased}),
                    heavyball_options(h));
       }},
      {"ademamix",
       [](const json& c, hyperparameters& h) {
         const auto betas = h.list("betas");
         return run(c,
                    recipes::ademamix({.beta1 = betas.at(0),
                                       .beta2 = betas.at(1),
                                       .beta3 = betas.at(2),
                                       .alpha = h("alpha"),
                                       .epsilon = 0,
                                       .floor = h("eps")}),
                    heavyball_options(h));
       }},
  };
}

}  // namespace replay
