// expect: scheduled(&transform::field, schedule) takes a schedule: a contextual transform without
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/linear.hpp>
#include <thalweg/transforms/scheduled.hpp>
using namespace thalweg;

#ifdef FIXED
auto c = scheduled(&ema::beta, linear{.steps = 10});
#else
auto c = scheduled(&ema::beta, ema{});
#endif
