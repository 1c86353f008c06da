// expect: a schedule may not change the fields of a transform that gathers or skips steps, or computes x from them
#include <thalweg/transforms/accumulate.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/linear.hpp>
#include <thalweg/transforms/scheduled.hpp>
using namespace thalweg;

#ifdef FIXED
auto c = scheduled(&ema::beta, linear{.steps = 10});
#else
auto c = scheduled(&accumulate::steps, linear{.steps = 10}, accumulate{.steps = 4});
#endif
