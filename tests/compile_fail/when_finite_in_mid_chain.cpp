// expect: Expected a transform that may stop the step (when_finite) only as the first of the whole chain
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/when_finite.hpp>
using namespace thalweg;

void bind(std::vector<parameter<float>> parameters) {
#ifdef FIXED
  optimizer(when_finite{} | ema{}, parameters, {});
#else
  optimizer(ema{} | when_finite{}, parameters, {});
#endif
}
