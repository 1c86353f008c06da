// expect: thalweg: Expected the transform that writes the parameters (apply_update
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

std::vector<float> w(6);

void use() {
#ifdef FIXED
  const auto links = route(when(hidden_matrix, ema{} | update_by_schedule_free{}), otherwise(scale_by_adam{} | apply_update{}));
#else
  const auto links = route(when(hidden_matrix, ema{} | update_by_schedule_free{}), otherwise(scale_by_adam{})) | apply_update{};
#endif
  optimizer(links, std::vector<parameter<float>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {});
}
