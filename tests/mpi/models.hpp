// Language models by their parameters' shapes, and what a step costs many ranks: latency, bandwidth, flops.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "../../src/mpi/plan.hpp"

namespace test {

struct matrix {
  double rows, cols;
  bool is_hidden;
};

struct language_model {
  std::string name;
  std::vector<matrix> parameters;

  [[nodiscard]] double elements() const {
    double sum = 0;
    for (const matrix& m : parameters) sum += m.rows * m.cols;
    return sum;
  }
};

inline language_model gpt2_124m() {
  language_model m{"GPT-2 124M", {{50257, 768, false}, {1024, 768, false}}};
  for (int layer = 0; layer < 12; ++layer) {
    for (const matrix hidden : {matrix{2304, 768, true}, {768, 768, true}, {3072, 768, true}, {768, 3072, true}}) m.parameters.push_back(hidden);
    for (const double n : {768., 768., 2304., 768., 768., 768., 3072., 768.}) m.parameters.push_back({n, 1, false});
  }
  for (int i = 0; i < 2; ++i) m.parameters.push_back({768, 1, false});
  return m;
}

/// A Llama: grouped queries, a gated feed-forward layer, a head of its own or none.
inline language_model llama(std::string name, int layers, double width, double keys, double inner, double tokens, bool has_head) {
  language_model m{std::move(name), {{tokens, width, false}}};
  if (has_head) m.parameters.push_back({tokens, width, false});
  for (int layer = 0; layer < layers; ++layer) {
    for (const matrix hidden : {matrix{width, width, true}, {keys, width, true}, {keys, width, true}, {width, width, true},
                                {inner, width, true}, {inner, width, true}, {width, inner, true}})
      m.parameters.push_back(hidden);
    for (int norm = 0; norm < 2; ++norm) m.parameters.push_back({width, 1, false});
  }
  m.parameters.push_back({width, 1, false});
  return m;
}
inline language_model llama_1b() { return llama("Llama 3.2 1B", 16, 2048, 512, 8192, 128256, false); }
inline language_model llama_7b() { return llama("Llama 2 7B", 32, 4096, 4096, 11008, 32000, true); }

/// The plan of a language model. `orthogonalises`: AMUSE; else AdamW.
inline thalweg::mpi::detail::plan plan_of(const language_model& m, int ranks, bool orthogonalises, std::size_t most = std::size_t{1} << 17) {
  std::vector<thalweg::mpi::detail::parameter_cost> costs;
  for (const matrix& p : m.parameters) {
    const double size = p.rows * p.cols;
    costs.push_back({static_cast<std::size_t>(size), size + (orthogonalises && p.is_hidden ? size * std::min(p.rows, p.cols) / 4 : 0)});
  }
  return thalweg::mpi::detail::make_plan(std::move(costs), ranks, most);
}

/// Five steps of Newton–Schulz on short × long.
inline double flops_of(const matrix& m) {
  const double s = std::min(m.rows, m.cols), l = std::max(m.rows, m.cols);
  return 5 * (4 * s * s * l + 2 * s * s * s);
}

/// A rank's machine.
struct machine {
  std::string name;
  double flops, memory, network;  ///< a second: operations of matrices, bytes
  double latency;                 ///< seconds a message
};

struct step_time {
  double computing = 0, sending = 0;  ///< seconds, of the rank that takes longest
  [[nodiscard]] double all() const { return computing + sending; }
};

/// A step of float32. AdamW and AMUSE read a gradient, and read and write a parameter and two states: 28 bytes an element.
enum class sharing { state, nothing, rows };
inline step_time time_of(const language_model& m, const thalweg::mpi::detail::plan& p, bool orthogonalises, sharing how, const machine& on) {
  using namespace thalweg::mpi::detail;
  const auto n = static_cast<std::size_t>(p.ranks);
  std::vector<double> computing(n, 0.0);
  for (std::size_t i = 0; i < m.parameters.size(); ++i) {
    const double seconds = static_cast<double>(p.costs[i].elements) * 28 / on.memory +
                           (orthogonalises && m.parameters[i].is_hidden ? flops_of(m.parameters[i]) / on.flops : 0);
    if (how == sharing::nothing) std::ranges::for_each(computing, [&](double& c) { c += seconds; });
    else computing[static_cast<std::size_t>(p.owner[i])] += seconds;
  }
  // Sent and received at once; small collectives (five agreements a step) take a latency for each doubling of the ranks.
  const auto seconds_for = [&](const traffic& t) { return static_cast<double>(t.messages) * on.latency + static_cast<double>(t.bytes) / on.network; };
  double most = 0;
  const wire as(p, std::vector<std::size_t>(p.costs.size(), 4));
  std::vector<traffic> sent(n), received(n);
  for (const message& one : messages(p.by_slice, p.by_owner))
    if (one.from != one.to) {
      sent[static_cast<std::size_t>(one.from)] += {1, as.bytes(one.begin, one.end)};
      received[static_cast<std::size_t>(one.to)] += {1, as.bytes(one.begin, one.end)};
    }
  for (std::size_t r = 0; r < n; ++r)
    most = std::max(most, std::max(seconds_for(sent[r]), seconds_for(received[r])));
  step_time t{.computing = std::ranges::max(computing), .sending = 5 * std::ceil(std::log2(p.ranks)) * on.latency};
  if (how != sharing::rows) t.sending += seconds_for(sent_in_exchange(0, p, as)) + seconds_for(sent_to_all(0, p, as));
  if (how != sharing::nothing) t.sending += 2 * most;  // to the owners and back
  return t;
}

}  // namespace test
