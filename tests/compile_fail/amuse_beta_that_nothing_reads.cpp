// expect: thalweg: Expected a later transform that reads the number that an earlier one passes on
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

std::vector<float> w(6);

void use() {
#ifdef FIXED
  const auto links = ema{} | amuse_beta{} | update_by_schedule_free{};
#else
  const auto links = ema{} | amuse_beta{} | apply_update{};
#endif
  optimizer(links, std::vector<parameter<float>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {.warmup_steps = 1});
}
