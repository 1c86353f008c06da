// Muon, SFMuon and AMUSE: as the papers' equations say, and as two published codes compute them.
#include <thalweg/recipes/amuse.hpp>
#include <thalweg/recipes/muon.hpp>
#include <thalweg/recipes/sf_muon.hpp>

#include "replay.hpp"

namespace replay {

using namespace thalweg;

namespace {

// kjeiun/amuse recovers x with the β of this step, not with the one that built y: the average drifts while β moves.
struct update_by_official_amuse {
  using states = state<copy_of_param<"z">, scalar<"beta">>;
  using reads = interpolation_beta;

  constexpr auto at(const context& c, double) const {
    const double beta = c.heard<interpolation_beta>().value();
    const auto kernel = [lr = c.lr, keep = 1 - c.lr * c.weight_decay, weight = c.average_weight, beta]<class T>(
                            element<T> e, T z) {
      const T x = lerp(e.parameter, z, 1 - 1 / beta);
      z = T(keep) * z - T(lr) * e.update;
      return write(lerp(z, lerp(x, z, weight), beta), z);
    };
    return next(kernel, beta);
  }
  constexpr auto average(double beta) const {
    return [beta]<class T>(element<T> e, T z) { return lerp(e.parameter, z, 1 - 1 / beta); };
  }
};

// HeavyBall moves y by a closed form that holds for a constant β, and evaluates with the newest one.
struct update_by_heavyball_schedule_free {
  double beta = 0.9;
  using states = state<copy_of_param<"z">, scalar<"beta">>;
  using reads = interpolation_beta;

  constexpr auto at(const context& c, double) const {
    const double now = c.heard<interpolation_beta>().value_or(beta);
    const auto kernel = [lr = c.lr, decay = c.weight_decay, weight = c.average_weight, now]<class T>(element<T> e, T z) {
      const T u = e.update + T(decay) * e.parameter;
      return write(lerp(e.parameter, z, weight) - T(lr * (1 - now * (1 - weight))) * u, z - T(lr) * u);
    };
    return next(kernel, now);
  }
  constexpr auto average(double now) const {
    return [now]<class T>(element<T> e, T z) { return lerp(e.parameter, z, 1 - 1 / now); };
  }
};

// HeavyBall's warm-up ends a step later than the β that it times.
struct heavyball_amuse_beta {
  double beta1, rho;
  long warmup_steps;
  using feeds = interpolation_beta;

  constexpr context at(context c) const {
    const double ratio = c.step <= warmup_steps ? 1.0 : (warmup_steps - 1.0) / (c.step - 1.0);
    c.say<interpolation_beta>(1 - thalweg::pow(ratio, rho) * (1 - beta1));
    return c;
  }
};

auto heavyball_muon(double momentum) {
  return nesterov_ema{.beta = momentum, .look_ahead = add_ema} | orthogonalize_update{.coefficients = heavyball};
}

}  // namespace

replayers muon() {
  return {
      {"muon",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::muon({.momentum = h("momentum"),
                                      .auxiliary_lr = h("auxiliary_lr") / h("lr"),
                                      .beta1 = h("beta1"),
                                      .beta2 = h("beta2"),
                                      .epsilon = h("eps")}),
                    options_of(h));
       }},
      {"sf_muon",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::sf_muon({.momentum = h("momentum"),
                                         .beta = h("beta"),
                                         .auxiliary_lr = h("auxiliary_lr", h("lr")) / h("lr"),
                                         .beta2 = h("beta2", 0.999),
                                         .epsilon = h("eps", 1e-10)}),
                    options_of(h));
       }},
      {"amuse",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::amuse({.momentum = h("momentum"),
                                       .beta1 = h("beta1"),
                                       .rho = h("rho"),
                                       .auxiliary_lr = h("auxiliary_lr") / h("lr"),
                                       .beta2 = h("beta2"),
                                       .epsilon = h("eps")}),
                    options_of(h));
       }},
      {"amuse_official",
       [](const json& c, hyperparameters& h) {
         return run(c,
                    route(when(hidden_matrix, nesterov_ema{.beta = h("momentum")} |
                                                  orthogonalize_update{.scale = match_rms{0.2}}),
                          otherwise(scale_lr{.by = h("auxiliary_lr") / h("lr")} |
                                    scale_by_exp_avg_sq{.beta2 = h("beta2"), .epsilon = h("eps")})) |
                        amuse_beta{.beta1 = h("beta1"), .rho = h("rho")} | update_by_official_amuse{},
                    options_of(h));
       }},
      {"sf_muon_heavyball",
       [](const json& c, hyperparameters& h) {
         auto o = options_of(h);
         ++o.warmup_steps;
         return run(c, heavyball_muon(h("beta")) | update_by_heavyball_schedule_free{.beta = h("beta")}, o);
       }},
      {"amuse_heavyball",
       [](const json& c, hyperparameters& h) {
         auto o = options_of(h);
         const heavyball_amuse_beta beta{h("amuse_beta1"), h("amuse_rho"), o.warmup_steps++};
         return run(c, heavyball_muon(h("muon_mu")) | beta | update_by_heavyball_schedule_free{}, o);
       }},
  };
}

}  // namespace replay
