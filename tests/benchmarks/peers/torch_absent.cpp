#include "torch.hpp"

std::unique_ptr<torch_adamw> torch_adamw::on(const float*, const float*, std::size_t, double, double) {
  return nullptr;
}
