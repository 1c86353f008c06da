// expect: nothing that spends the weight decay (decay_weights)
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/parallel.hpp>
using namespace thalweg;

#ifdef FIXED
auto c = decay_weights{} | parallel(ensemble{}, ema{}, ema{.beta = 0.5});
#else
auto c = parallel(ensemble{}, ema{}, decay_weights{} | ema{.beta = 0.5});
#endif
