// expect: Expected a transform that gathers steps (accumulate) only as the first of the whole chain
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/accumulate.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/when_finite.hpp>
using namespace thalweg;

void bind(std::vector<parameter<float>> parameters) {
#ifdef FIXED
  optimizer(when_finite{} | accumulate{.steps = 2} | ema{}, parameters, {});
#else
  optimizer(when_finite{} | ema{} | accumulate{.steps = 2}, parameters, {});
#endif
}
