// expect: thalweg: Expected a later transform that reads the number that an earlier one passes on
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

std::vector<float> w(6);

void use() {
#ifdef FIXED
  const auto links = route(when(hidden_matrix, amuse_beta{} | update_by_schedule_free{}), otherwise(scale_by_adam{}));
#else
  const auto links = route(when(hidden_matrix, update_by_schedule_free{}), otherwise(amuse_beta{} | scale_by_adam{}));
#endif
  optimizer(links, std::vector<parameter<float>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {.warmup_steps = 1});
}
