// expect: nothing model-wise, no accumulate, no scalar state
#include <thalweg/transforms/accumulate.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/parallel.hpp>
using namespace thalweg;

#ifdef FIXED
auto c = accumulate{.steps = 4} | parallel(ensemble{}, ema{});
#else
auto c = parallel(ensemble{}, accumulate{.steps = 4} | ema{});
#endif
