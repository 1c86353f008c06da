// expect: thalweg: Expected the transform that writes the parameters (apply_update
// expect: at the end of its chain
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

std::vector<float> w(6);

void use() {
#ifdef FIXED
  const auto links = scale_by_sign{} | update_by_schedule_free{};
#else
  const auto links = update_by_schedule_free{} | scale_by_sign{};
#endif
  optimizer(links, std::vector<parameter<float>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {});
}
