#include "contenders.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>

namespace race {
namespace {

struct tuned {
  std::string_view task, key;
  double lr;
  double weight_decay = 0.05;
};

// The settings that `--tune` found for each task. Other chains have the settings of an untuned chain.
constexpr std::array all_tuned{
    tuned{"perceptron", "adamw", 0.008},   tuned{"perceptron", "adamw_wsd", 0.002},
    tuned{"perceptron", "sf_adamw", 0.008}, tuned{"perceptron", "muon", 0.004},
    tuned{"perceptron", "muon_wsd", 0.002}, tuned{"perceptron", "sf_muon", 0.016},
    tuned{"perceptron", "sf_muon_95", 0.016}, tuned{"perceptron", "sf_normuon", 0.016},
    tuned{"perceptron", "amuse", 0.016},   tuned{"perceptron", "amuse_short_warmup", 0.004},

    tuned{"digits", "adamw", 0.016},       tuned{"digits", "sf_adamw", 0.032},
    tuned{"digits", "muon", 0.008},        tuned{"digits", "sf_muon", 0.016},
    tuned{"digits", "amuse", 0.032},

    tuned{"gpt", "adamw", 0.008},          tuned{"gpt", "adamw_wsd", 0.004},
    tuned{"gpt", "sf_adamw", 0.004},       tuned{"gpt", "muon", 0.016},
    tuned{"gpt", "muon_wsd", 0.016},       tuned{"gpt", "sf_muon", 0.016},
    tuned{"gpt", "sf_muon_95", 0.032},     tuned{"gpt", "sf_normuon", 0.032},
    tuned{"gpt", "amuse", 0.016},          tuned{"gpt", "amuse_short_warmup", 0.016},

    tuned{"convnet", "adamw", 0.008, 0.2},      tuned{"convnet", "adamw_wsd", 0.004},
    tuned{"convnet", "sf_adamw", 0.008, 0.005}, tuned{"convnet", "muon", 0.008, 0.2},
    tuned{"convnet", "muon_wsd", 0.008, 0.005}, tuned{"convnet", "sf_muon", 0.016, 0.005},
    tuned{"convnet", "sf_muon_95", 0.016},      tuned{"convnet", "sf_normuon", 0.016, 0.2},
    tuned{"convnet", "amuse", 0.016, 0.005},    tuned{"convnet", "amuse_other", 0.016},
    tuned{"convnet", "amuse_sgd", 0.1, 0.02},   tuned{"convnet", "amuse_sgd_decay_at_y", 0.05, 0.02},
    tuned{"convnet", "amuse_short_warmup", 0.016},

    tuned{"convnet_batch_norm", "adamw", 0.004},    tuned{"convnet_batch_norm", "adamw_wsd", 0.002},
    tuned{"convnet_batch_norm", "sf_adamw", 0.016}, tuned{"convnet_batch_norm", "muon", 0.008},
    tuned{"convnet_batch_norm", "muon_wsd", 0.004}, tuned{"convnet_batch_norm", "sf_muon", 0.032},
    tuned{"convnet_batch_norm", "sf_normuon", 0.016}, tuned{"convnet_batch_norm", "amuse", 0.016},
    tuned{"convnet_batch_norm", "amuse_short_warmup", 0.016},

    tuned{"vit", "adamw", 0.002, 0.005},        tuned{"vit", "adamw_wsd", 0.001},
    tuned{"vit", "sf_adamw", 0.004, 0.005},     tuned{"vit", "muon", 0.004, 0.2},
    tuned{"vit", "muon_wsd", 0.004},            tuned{"vit", "sf_muon", 0.016, 0.2},
    tuned{"vit", "sf_muon_95", 0.016},          tuned{"vit", "sf_normuon", 0.016, 0.2},
    tuned{"vit", "amuse", 0.016},               tuned{"vit", "amuse_other", 0.016},
    tuned{"vit", "amuse_short_warmup", 0.016, 0.005},
};

// Hidden matrices by `momentum`, orthogonalised, a fused one block by block, and `then`; all else by `auxiliary`.
std::string routed(const description& about, std::string_view momentum, std::string_view scale, std::string_view then,
                   std::string_view auxiliary) {
  const std::string muon = fmt::format("orthogonalize_update(scale={})", scale);
  const std::string fused = about.fused.empty() ? ""
                                                : fmt::format("when(name_matches(\"{}\"), {} | in_row_blocks(3, {}){}), ",
                                                              about.fused, momentum, muon, then);
  return fmt::format("route({}when(hidden_matrix, {} | {}{}), otherwise({})) | ", fused, momentum, muon, then, auxiliary);
}

std::string by_muon(const description& about, std::string_view scale, std::string_view auxiliary) {
  return routed(about, "nesterov_ema", scale, "", auxiliary);
}

// The recipe; a fused matrix needs its own branch.
std::string sf_normuon(const description& about) {
  if (about.fused.empty()) return "sf_normuon";
  return routed(about, "ema(beta=0.8)", "none", " | scale_by_row_rms(beta2=0.95) | scale_to_rms(rms=0.2)", "scale_by_exp_avg_sq") +
         "update_by_schedule_free(beta=0.9)";
}

}  // namespace

// Chains are text: the library contains all passes, so this file compiles none. Options that a text omits have the defaults
// of the recipe of the same name.
std::vector<contender> contenders(std::string_view task, const description& about, long steps) {
  const std::string cosine = fmt::format("cosine(steps={}) | ", steps);
  const std::string wsd =  // the options warm up
      fmt::format("warmup_stable_decay(warmup_steps=1, steps={}, decay_steps={}) | ", steps, std::max(1l, steps / 5));
  // match_rms: so that one learning rate serves the matrices and the rest
  const std::string with_adam = by_muon(about, "match_rms(rms=0.2)", "scale_by_adam(beta2=0.95, epsilon=1e-10)");
  const std::string with_squares = by_muon(about, "match_rms(rms=0.2)", "scale_by_exp_avg_sq");
  const std::string with_gradient = by_muon(about, "spectral", "");
  const bool is_text = about.kind == data_kind::text;

  // β₁ and ρ of Llama 124M and of CIFAR-10, with the share of the steps that they warm up: T₀
  const std::string as_llama = with_squares + "amuse_beta(beta1=0.6, rho=0.8) | update_by_schedule_free";
  const std::string as_cifar = with_squares + "amuse_beta(beta1=0.8, rho=0.3) | update_by_schedule_free";
  const long long_warmup = std::max(1l, 3 * steps / 8), short_warmup = std::max(1l, steps / 20);

  std::vector<contender> all{
      {"adamw", "AdamW + cosine", cosine + "adamw"},
      {"adamw_wsd", "AdamW + WSD", wsd + "adamw"},
      {"sf_adamw", "Schedule-Free AdamW", "sf_adamw"},
      {"muon", "Muon + cosine", cosine + with_adam + "apply_update"},
      {"muon_wsd", "Muon + WSD", wsd + with_adam + "apply_update"},
      {"sf_muon", "SFMuon", with_squares + "update_by_schedule_free(beta=0.9)"},
      {"sf_muon_95", "SFMuon, β = 0.95", with_squares + "update_by_schedule_free(beta=0.95)"},
      {"sf_muon_98", "SFMuon, β = 0.98", with_squares + "update_by_schedule_free(beta=0.98)"},
      {"sf_normuon", "SF-NorMuon", sf_normuon(about)},
      {"sf_plus", "ScheduleFree+", fmt::format("sf_plus(steps={}, average_steps={})", steps, 2 * short_warmup), 1, 20},
      {"amuse", "AMUSE", is_text ? as_llama : as_cifar},  // as the published experiment that is nearest …
      {"amuse_other", "AMUSE, other β", is_text ? as_cifar : as_llama},  // … and as the other one
      {"amuse_short_warmup", "AMUSE, short warm-up",  // β as of Llama 124M; only the learning rate rises sooner
       with_squares + fmt::format("amuse_beta(beta1=0.6, rho=0.8, beta1_steps={}) | update_by_schedule_free", long_warmup)},
      {"amuse_sgd", "AMUSE, plain gradient", with_gradient + "amuse_beta(beta1=0.8, rho=0.3) | update_by_schedule_free", 0.2, 0.02},
      {"amuse_sgd_decay_at_y", "AMUSE, plain gradient, decay at z and y",
       with_gradient + "amuse_beta(beta1=0.8, rho=0.3) | update_by_schedule_free(decay_at_y=1)", 0.2, 0.02},
  };
  for (contender& who : all) {
    who.warmup_steps = who.chain == as_llama ? long_warmup : short_warmup;
    const auto found = std::ranges::find_if(all_tuned, [&](const tuned& t) { return t.task == task && t.key == who.key; });
    if (found == all_tuned.end()) continue;
    who.lr = found->lr;
    who.weight_decay = found->weight_decay;
  }
  return all;
}

contender contender_of(std::string key, std::string chain, long steps) {
  return {.key = key, .name = key, .chain = std::move(chain), .warmup_steps = std::max(1l, steps / 20)};
}

}  // namespace race
