// A small network in libtorch, trained by thalweg: once with AMUSE, once with a chain of your own.
#include <cstdio>

// snippet: torch
#include <torch/torch.h>

#include <thalweg/adaptors/torch.hpp>
#include <thalweg/thalweg.hpp>

struct network : torch::nn::Module {
  torch::nn::Linear hidden{nullptr}, head{nullptr};
  torch::nn::BatchNorm1d norm{nullptr};

  network() {
    hidden = register_module("hidden", torch::nn::Linear(16, 32));
    norm = register_module("norm", torch::nn::BatchNorm1d(32));
    head = register_module("head", torch::nn::Linear(32, 4));
  }
  torch::Tensor forward(const torch::Tensor& x) { return head(torch::relu(norm(hidden(x)))); }
};
// end

namespace {

// Four classes: noise around four random points.
struct batch {
  torch::Tensor x, label;
};
batch draw(const torch::Tensor& centres, long n) {
  const auto label = torch::randint(centres.size(0), n);
  return {centres.index_select(0, label) + torch::randn({n, centres.size(1)}), label};
}

// snippet: torch_batch_norm
// The statistics of batch norms come from y. Compute them again at x before you validate.
void refresh_batch_norms(network& model, const std::vector<batch>& data) {
  torch::NoGradGuard no_gradients;
  model.norm->reset_running_stats();
  const auto momentum = std::exchange(model.norm->options.momentum(), c10::nullopt);  // a plain mean over the batches
  model.train();
  for (const auto& b : data) model.forward(b.x);
  model.norm->options.momentum() = momentum;
}
// end

struct judgement {
  double loss, accuracy;
};
judgement validate(network& model, const batch& held_out) {
  torch::NoGradGuard no_gradients;
  model.eval();
  const auto out = model.forward(held_out.x);
  model.train();
  return {torch::cross_entropy_loss(out, held_out.label).item<double>(),
          (out.argmax(1) == held_out.label).to(torch::kFloat).mean().item<double>()};
}

template <class Chain>
bool train(const char* name, const Chain& chain, const thalweg::options& options) {
  torch::manual_seed(1);
  const auto centres = torch::randn({4, 16});
  const auto held_out = draw(centres, 1000);
  std::vector<batch> data;
  for (int i = 0; i < 200; ++i) data.push_back(draw(centres, 32));

  const auto model = std::make_shared<network>();
  // snippet: torch_training
  auto opt = thalweg::torch::optimizer(chain, *model, options);
  for (const auto& b : data) {
    opt.zero_grad();
    torch::cross_entropy_loss(model->forward(b.x), b.label).backward();
    opt.step();
  }
  const auto at_x = opt.evaluation_point();
  refresh_batch_norms(*model, {data.begin(), data.begin() + 20});
  const auto result = validate(*model, held_out);
  // end
  std::printf("%s\n%s: loss %.3f, accuracy %.3f\n\n", opt.describe().c_str(), name, result.loss, result.accuracy);
  return result.accuracy > 0.95;
}

}  // namespace

int main() {
  using namespace thalweg;
  ::torch::set_num_threads(1);
  const bool amuse = train("AMUSE", recipes::amuse(), {.lr = 0.02, .warmup_steps = 20});
  const auto chain = clip_by_global_norm{.max_norm = 1} | scale_by_lion{} | linear{.steps = 200};
  const bool own = train("a chain of one's own", chain, {.lr = 0.003});
  return amuse && own ? 0 : 1;
}
