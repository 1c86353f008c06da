// expect: Expected a transform that gathers steps (accumulate) only as the first of the whole chain
#include <thalweg/core/optimizer.hpp>
#include <thalweg/core/route.hpp>
#include <thalweg/transforms/accumulate.hpp>
#include <thalweg/transforms/ema.hpp>
using namespace thalweg;

void bind(std::vector<parameter<float>> parameters) {
#ifdef FIXED
  optimizer(accumulate{.steps = 2} | route(when(hidden_matrix, ema{}), otherwise()), parameters, {});
#else
  optimizer(route(when(hidden_matrix, accumulate{.steps = 2}), otherwise(ema{})), parameters, {});
#endif
}
