// Optimizers without an average and without matrices.
#include <thalweg/recipes/adagrad.hpp>
#include <thalweg/recipes/adam.hpp>
#include <thalweg/recipes/adamw.hpp>
#include <thalweg/recipes/amsgrad.hpp>
#include <thalweg/recipes/lion.hpp>
#include <thalweg/recipes/nadam.hpp>
#include <thalweg/recipes/radam.hpp>
#include <thalweg/recipes/rmsprop.hpp>
#include <thalweg/recipes/sgd.hpp>

#include "replay.hpp"

namespace replay {

using namespace thalweg;

namespace {

// PyTorch until 2.0 counts μ_t twice in the correction of the look ahead.
struct scale_by_torch_1_nadam {
  double beta1, beta2, epsilon, momentum_decay;
  using states = state<zeros<"first_moment">, zeros<"second_moment">, scalar<"correction">>;

  constexpr auto at(const context& c, double correction) const {
    const double t = static_cast<double>(c.step);
    const auto momentum = [&](double step) { return beta1 * (1 - thalweg::pow(0.96, momentum_decay * step) / 2); };
    const double now = momentum(t), ahead = momentum(t + 1), product = (1 - correction) * now;
    const auto kernel = [*this, of_update = (1 - now) / (1 - product), of_first = ahead / (1 - product * now * ahead),
                         unbias2 = 1 / (1 - thalweg::pow(beta2, t))]<class T>(element<T> e, T first, T second) {
      first = lerp(e.update, first, beta1);
      second = lerp(e.update * e.update, second, beta2);
      return next((T(of_update) * e.update + T(of_first) * first) / (sqrt(T(unbias2) * second) + T(epsilon)), first,
                  second);
    };
    return next(kernel, 1 - product);
  }
};

}  // namespace

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
      {"amsgrad",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::amsgrad({.beta1 = h("beta1"), .beta2 = h("beta2"), .epsilon = h("eps")}),
                    options_of(h));
       }},
      {"nadam",
       [](const json& c, hyperparameters& h) {
         const double beta1 = h("beta1"), beta2 = h("beta2"), epsilon = h("eps"), decay = h("momentum_decay");
         if (c.at("source").get<std::string>().starts_with("torch.optim 1."))
           return run(c, decay_weights{} | scale_by_torch_1_nadam{beta1, beta2, epsilon, decay}, options_of(h));
         return run(c, recipes::nadam({.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .momentum_decay = decay}),
                    options_of(h));
       }},
      {"radam",
       [](const json& c, hyperparameters& h) {
         return run(c, recipes::radam({.beta1 = h("beta1"), .beta2 = h("beta2"), .epsilon = h("eps")}),
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
