#include "learner.hpp"

#include <utility>

namespace race {
namespace {

class torch_task_of final : public task {
  std::shared_ptr<const torch_setting> setting_;

public:
  explicit torch_task_of(torch_setting s) : setting_(std::make_shared<const torch_setting>(std::move(s))) {}
  description describe() const override { return setting_->about; }
  std::unique_ptr<model> start(unsigned seed) const override { return std::make_unique<learner>(setting_, seed); }
};

std::shared_ptr<network_of_tensors> made(const torch_setting& setting, unsigned seed) {
  ::torch::set_num_threads(1);  // runs stand side by side, and are the same on every machine of a kind
  ::torch::manual_seed(seed);
  return setting.network();
}

std::vector<::torch::nn::BatchNorm2dImpl*> batch_norms(::torch::nn::Module& net) {
  std::vector<::torch::nn::BatchNorm2dImpl*> all;
  for (const auto& m : net.modules())
    if (auto* norm = dynamic_cast<::torch::nn::BatchNorm2dImpl*>(m.get())) all.push_back(norm);
  return all;
}

}  // namespace

learner::learner(std::shared_ptr<const torch_setting> setting, unsigned seed)
    : setting_(std::move(setting)), net_(made(*setting_, seed)), next_(setting_->data.batches(seed)),
      parameters_(thalweg::torch::parameters_of(*net_)) {
  for (auto& p : parameters_)
    if (p.values.dim() < 2) p.weight_decay_factor = 0;  // biases, and the gains of norms
}

std::vector<thalweg::parameter<float>> learner::parameters() {
  std::vector<thalweg::parameter<float>> all;
  for (const auto& p : parameters_)
    all.push_back({.name = p.name, .shape = {p.values.sizes().begin(), p.values.sizes().end()}, .role = p.role,
                   .data = p.values.data_ptr<float>(), .weight_decay_factor = p.weight_decay_factor});
  return all;
}

std::vector<std::span<const float>> learner::gradients() {
  std::vector<std::span<const float>> all;
  for (const auto& p : parameters_)
    all.emplace_back(p.values.grad().data_ptr<float>(), static_cast<std::size_t>(p.values.numel()));
  return all;
}

std::vector<::torch::Tensor> learner::leaves() const {
  std::vector<::torch::Tensor> all;
  for (const auto& p : parameters_) all.push_back(p.values);
  return all;
}

::torch::Tensor learner::loss_on(const tensors& t) {
  return ::torch::cross_entropy_loss(net_->forward(t.inputs), t.labels) / setting_->nats_a_unit;
}
::torch::Tensor learner::loss(examples which) {
  return loss_on(which == examples::next ? next_() : setting_->data.fixed);
}

double learner::differentiate(examples which) {
  net_->zero_grad();
  const auto value = loss(which);
  value.backward();
  return value.item<double>();
}

score learner::judge(judged_on which) {
  const ::torch::NoGradGuard no_gradients;
  refresh_batch_norms();
  net_->eval();
  score sum;
  double examples = 0;
  for (const tensors& block : which == judged_on::training ? setting_->data.training : setting_->data.held_out) {
    const auto logits = net_->forward(block.inputs);
    const auto count = static_cast<double>(block.labels.numel());
    sum.loss += count * ::torch::cross_entropy_loss(logits, block.labels).item<double>();
    sum.accuracy += (logits.argmax(1) == block.labels).sum().item<double>();
    examples += count;
  }
  net_->train();
  return {sum.loss / examples / setting_->nats_a_unit, sum.accuracy / examples};
}

// The statistics of batch norms come from y. Compute them again at x before you validate.
void learner::refresh_batch_norms() {
  const auto norms = batch_norms(*net_);
  if (norms.empty()) return;
  net_->train();
  for (auto* norm : norms) {
    norm->reset_running_stats();
    norm->options.momentum() = c10::nullopt;  // a plain mean over the blocks
  }
  for (const tensors& block : setting_->data.statistics) net_->forward(block.inputs);
}

thalweg::optimizer<float>& learner::bind(const thalweg::parsed_chain& chain, const thalweg::options& options) {
  auto alone = options;
  alone.parallel = thalweg::sequential();
  return opt_.emplace(chain, parameters_, alone).engine();
}
void learner::step(double loss) { opt_->step({.loss = loss}); }

std::unique_ptr<task> torch_task(torch_setting setting) { return std::make_unique<torch_task_of>(std::move(setting)); }

}  // namespace race
