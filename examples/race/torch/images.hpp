#pragma once

#include "learner.hpp"

namespace race {

// Fashion-MNIST as tensors of (images, 1, 28, 28), with the description of its data.
struct images_as_tensors {
  description about;
  torch_data data;
};
images_as_tensors fashion_mnist_as_tensors(const task_settings& settings);

}  // namespace race
