// expect: thalweg: Expected the transform that writes the parameters (apply_update
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

std::vector<float> w(6);

void use() {
#ifdef FIXED
  const auto links = scale_lr{.by = 0.5} | ema{} | apply_update{};
#else
  const auto links = ema{} | apply_update{} | scale_lr{.by = 0.5};  // would change nothing
#endif
  optimizer(links, std::vector<parameter<float>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {});
}
