#pragma once
// Tasks whose gradients come from libtorch: a network, examples as tensors, cross-entropy.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <torch/torch.h>

#include <thalweg/adaptors/torch.hpp>

#include "../task.hpp"

namespace race {

struct tensors {
  ::torch::Tensor inputs, labels;  // as many labels as rows of the network's output
};

struct network_of_tensors : ::torch::nn::Module {
  virtual ::torch::Tensor forward(const ::torch::Tensor& inputs) = 0;  // logits, a row for each label
};

struct torch_data {
  std::function<std::function<tensors()>(unsigned seed)> batches;  // endless, dealt by the seed
  tensors fixed;
  std::vector<tensors> training, held_out;  // the data of the scores, block by block
  std::vector<tensors> statistics{};        // training examples from which batch norms recompute their statistics
};

struct torch_setting {
  description about;
  torch_data data;
  std::function<std::shared_ptr<network_of_tensors>()> network;
  double nats_a_unit = 1;
};

class learner final : public model {
  std::shared_ptr<const torch_setting> setting_;
  std::shared_ptr<network_of_tensors> net_;
  std::function<tensors()> next_;
  std::vector<thalweg::torch::parameter<float>> parameters_;
  std::optional<thalweg::torch::optimizer<float>> opt_;

public:
  learner(std::shared_ptr<const torch_setting> setting, unsigned seed);

  std::vector<thalweg::parameter<float>> parameters() override;
  std::vector<std::span<const float>> gradients() override;
  double differentiate(examples which) override;
  score judge(judged_on which) override;
  thalweg::optimizer<float>& bind(const thalweg::parsed_chain& chain, const thalweg::options& options) override;
  void step(double loss) override;

  // The loss as a graph, in the task's unit: for what differentiates twice.
  ::torch::Tensor loss(examples which);
  // In the order of parameters().
  std::vector<::torch::Tensor> leaves() const;

private:
  ::torch::Tensor loss_on(const tensors& t);
  void refresh_batch_norms();
};

std::unique_ptr<task> torch_task(torch_setting setting);

}  // namespace race
