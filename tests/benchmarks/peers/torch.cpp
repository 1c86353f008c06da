#include "torch.hpp"

#include <algorithm>

#include <torch/torch.h>

namespace {

torch::Tensor copied(const float* values, std::size_t n) {
  return torch::from_blob(const_cast<float*>(values), {static_cast<long>(n)}).clone();
}

class adamw final : public torch_adamw {
  torch::Tensor values_;
  torch::optim::AdamW optimizer_;

public:
  adamw(const float* values, const float* gradient, std::size_t n, double lr, double weight_decay)
      : values_(copied(values, n).requires_grad_()),
        optimizer_({values_}, torch::optim::AdamWOptions(lr).weight_decay(weight_decay)) {
    torch::set_num_threads(1);
    values_.mutable_grad() = copied(gradient, n);
  }
  void step() override { optimizer_.step(); }
  void read(float* values) const override {
    std::copy_n(values_.data_ptr<float>(), values_.numel(), values);
  }
};

}  // namespace

std::unique_ptr<torch_adamw> torch_adamw::on(const float* values, const float* gradient, std::size_t n, double lr,
                                             double weight_decay) {
  return std::make_unique<adamw>(values, gradient, n, lr, weight_decay);
}
