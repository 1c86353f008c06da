// libtorch's torch::optim::AdamW, where it is installed: on a copy of the values, on one thread.
#pragma once

#include <cstddef>
#include <memory>

struct torch_adamw {
  virtual ~torch_adamw() = default;
  virtual void step() = 0;
  virtual void read(float* values) const = 0;

  /// Null where libtorch is not installed.
  static std::unique_ptr<torch_adamw> on(const float* values, const float* gradient, std::size_t n, double lr,
                                         double weight_decay);
};
