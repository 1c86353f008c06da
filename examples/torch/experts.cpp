// A mixture of experts in libtorch. The experts that a batch does not use have no gradient, and do not change.
#include <cstdio>
#include <vector>

#include <torch/torch.h>

#include <thalweg/adaptors/torch.hpp>
#include <thalweg/recipes.hpp>

namespace {

struct mixture : torch::nn::Module {
  torch::nn::ModuleList experts;
  torch::nn::Linear head{nullptr};

  mixture() {
    experts = register_module("experts", torch::nn::ModuleList());
    for (int e = 0; e < 4; ++e) experts->push_back(torch::nn::Linear(8, 16));
    head = register_module("head", torch::nn::Linear(16, 1));
  }
  torch::Tensor forward(const torch::Tensor& x, std::size_t expert) {
    return head->forward(torch::relu(experts[expert]->as<torch::nn::Linear>()->forward(x)));
  }
};

}  // namespace

int main() {
  torch::manual_seed(1);
  mixture model;
  const auto unused = model.experts[3]->as<torch::nn::Linear>()->weight.detach().clone();
  auto opt = thalweg::torch::optimizer(thalweg::recipes::muon({.scale = thalweg::match_rms{0.2}}), model, {.lr = 0.02});
  double first = 0, last = 0;
  for (long step = 0; step < 300; ++step) {
    const std::size_t expert = static_cast<std::size_t>(step) % 3;  // the last expert is never used
    const auto x = torch::randn({32, 8});
    const auto wanted = x.select(1, static_cast<long>(expert)).sin().unsqueeze(1);
    for (auto& p : model.parameters()) p.mutable_grad().reset();  // PyTorch's zero_grad(set_to_none=True)
    const auto loss = torch::mse_loss(model.forward(x, expert), wanted);
    loss.backward();
    const auto report = opt.step();
    if (step == 0) first = loss.item<double>();
    last = loss.item<double>();
    if (step % 100 == 0) std::printf("step %3ld  loss %.4f  %zu parameters stood still\n", step, last, report.without_gradient);
  }
  const bool still = torch::equal(unused, model.experts[3]->as<torch::nn::Linear>()->weight);
  std::printf("loss %.4f → %.4f, the unused expert %s\n", first, last, still ? "as it was" : "changed");
  return still && last < first / 4 ? 0 : 1;
}
