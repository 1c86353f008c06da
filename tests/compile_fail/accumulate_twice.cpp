// expect: Expected at most one transform that gathers steps (accumulate)
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/accumulate.hpp>
#include <thalweg/transforms/ema.hpp>
using namespace thalweg;

void bind(std::vector<parameter<float>> parameters) {
#ifdef FIXED
  optimizer(accumulate{.steps = 4} | ema{}, std::move(parameters), {});
#else
  optimizer(accumulate{.steps = 2} | accumulate{.steps = 2} | ema{}, std::move(parameters), {});
#endif
}
