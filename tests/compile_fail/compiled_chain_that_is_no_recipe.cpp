// expect: thalweg: only recipes are compiled in the library
#include <thalweg/thalweg.hpp>
using namespace thalweg;

#ifdef FIXED
constexpr auto chosen = recipes::adamw();
#else
constexpr auto chosen = scale_by_adam{} | scale_lr{.by = 2};
#endif
std::vector<float> w(6);

void use() {
  optimizer(chosen, std::vector<parameter<float>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {});
}
