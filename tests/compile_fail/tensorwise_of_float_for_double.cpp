// expect: thalweg: a tensor-wise transform of this chain does not take tensors of the parameters' type
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

#ifdef FIXED
using real = float;
#else
using real = double;
#endif
std::vector<real> w(6);

void use() {
  const auto flip = tensorwise("flip", [](tensor<float> u) { for (float& x : u.values()) x = -x; });
  auto opt = optimizer(flip, std::vector<parameter<real>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {});
  opt.step({w});
}
