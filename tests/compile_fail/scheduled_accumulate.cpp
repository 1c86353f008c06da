// expect: the fields of what gathers or skips steps, or recovers x by them, may not move
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
