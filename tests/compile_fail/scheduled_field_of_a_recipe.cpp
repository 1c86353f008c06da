// expect: takes a field of a transform, not of a recipe
#include <thalweg/recipes/signum.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/linear.hpp>
#include <thalweg/transforms/scheduled.hpp>
using namespace thalweg;

#ifdef FIXED
auto c = scheduled(&ema::beta, linear{.steps = 10});
#else
auto c = scheduled(&recipes::signum::beta, linear{.steps = 10});
#endif
