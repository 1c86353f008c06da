// Changes in the middle of a training run: experts that a batch does not use, other settings, new parameters.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <thalweg/thalweg.hpp>
using namespace thalweg;

namespace {

constexpr std::size_t experts = 4, outputs = 6, inputs = 8;

/// A mixture of experts: each is a matrix, and all lie in one block. An example uses one expert.
struct model {
  std::vector<float> block = std::vector<float>(experts * outputs * inputs, 0.1f), bias = std::vector<float>(outputs);
};

using gradient = std::optional<std::span<const float>>;

/// ½‖W_e x + b - target‖² and its gradients; `step` chooses the expert and the example.
double backward(const model& m, long step, std::vector<float>& of_expert, std::vector<float>& of_bias,
                std::size_t& used) {
  const auto input = [step](std::size_t c) { return std::sin(double(step % 5 * 8) + double(c)); };
  used = static_cast<std::size_t>(step) % 3;  // the last expert is never used
  double loss = 0;
  for (std::size_t r = 0; r < outputs; ++r) {
    double y = m.bias[r];
    for (std::size_t c = 0; c < inputs; ++c) y += m.block[(used * outputs + r) * inputs + c] * input(c);
    const double error = y - double(r) / outputs - double(used);
    loss += error * error / 2;
    of_bias[r] = static_cast<float>(error);
    for (std::size_t c = 0; c < inputs; ++c) of_expert[r * inputs + c] = static_cast<float>(error * input(c));
  }
  return loss;
}

}  // namespace

int main() {
  model m;
  std::vector<float> of_expert(outputs * inputs), of_bias(outputs);
  // snippet: experts
  std::vector<parameter<float>> parameters;
  for (std::size_t e = 0; e < experts; ++e)
    parameters.push_back({.name = "expert" + std::to_string(e), .shape = {outputs, inputs}, .role = role::hidden,
                          .data = m.block.data() + e * outputs * inputs});
  parameters.push_back(as_parameter("bias", m.bias));
  const options settings{.lr = 0.01, .weight_decay = 0.01};
  auto opt = optimizer("scale_by_adam | apply_update", parameters, settings);
  for (long step = 1; step <= 300; ++step) {
    std::size_t used = 0;
    const double loss = backward(m, step, of_expert, of_bias, used);
    std::vector<gradient> gradients(experts + 1);  // nullopt: the batch did not use this expert
    gradients[used] = of_expert;
    gradients[experts] = of_bias;
    const auto report = opt.step(gradients, {.loss = loss, .measure = step % 100 ? measure::nothing : measure::norms});
    if (!report.parameters.empty()) std::printf("%s\n", to_json(opt.steps(), report).c_str());
  }
  // end
  const float unused = m.block[3 * outputs * inputs];
  // snippet: settings
  opt.set("scale_by_adam.beta2", 0.95);  // from the next step on
  opt.set("weight_decay", 0);
  const std::string saved = opt.to_bytes();
  // end
  // snippet: added
  std::vector<float> scale(outputs, 1);  // a parameter that the run did not have before
  parameters.push_back(as_parameter("scale", scale));
  opt = optimizer("scale_by_adam | apply_update", parameters, settings);
  const auto report = opt.load_bytes(saved, {.parameters = parameter_match::partial});
  for (const auto& name : report.added) std::printf("%s is not in the checkpoint: its state is new\n", name.c_str());
  // end
  // snippet: stacked
  optimizer<float> of_stack("muon", {{.name = "experts", .shape = {experts, outputs, inputs}, .role = role::hidden,
                                      .data = m.block.data(), .view = {view::stack{}}}}, {.lr = 0.01});
  std::puts(of_stack.describe().c_str());  // four matrices: experts[0], experts[1], experts[2], experts[3]
  // end
  return unused == 0.1f && report.added.size() == 1 && opt.get("scale_by_adam.beta2") == 0.95 ? 0 : 1;
}
