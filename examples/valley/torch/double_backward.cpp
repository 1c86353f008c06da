#include <memory>
#include <vector>

#include "../../race/torch/learner.hpp"
#include "../curvature.hpp"
#include "../place.hpp"

namespace valley {
namespace {

// The gradient as a graph: differentiated once more, along a direction, it gives H d. It reads the parameters' memory.
class differentiable_gradient {
  visit visit_;
  std::vector<::torch::Tensor> leaves_, gradients_;

public:
  differentiable_gradient(race::learner& learner, const vector& place)
      : visit_(learner.parameters(), place), leaves_(learner.leaves()),
        gradients_(::torch::autograd::grad({learner.loss(race::examples::fixed)}, leaves_, {}, true, true)) {}

  vector product(const vector& direction) const {
    std::vector<::torch::Tensor> parts;
    Eigen::Index at = 0;
    for (const auto& leaf : leaves_) {
      parts.push_back(::torch::empty_like(leaf, ::torch::requires_grad(false)));
      float* to = parts.back().data_ptr<float>();
      for (std::int64_t i = 0; i < leaf.numel(); ++i) to[i] = static_cast<float>(direction[at++]);
    }
    const auto products = ::torch::autograd::grad(gradients_, leaves_, parts, true, false, true);
    vector whole(direction.size());
    at = 0;
    for (std::size_t i = 0; i < leaves_.size(); ++i) {
      const auto part = products[i].defined() ? products[i].contiguous() : ::torch::zeros_like(leaves_[i]);
      for (std::int64_t j = 0; j < part.numel(); ++j) whole[at++] = part.data_ptr<float>()[j];
    }
    return whole;
  }
};

}  // namespace

hessian_product hessian_at(race::model& model, const vector& place) {
  auto* learner = dynamic_cast<race::learner*>(&model);
  if (!learner) return differences_at(model, place);
  const auto gradient = std::make_shared<const differentiable_gradient>(*learner, place);
  return [gradient](const vector& direction) { return gradient->product(direction); };
}

}  // namespace valley
