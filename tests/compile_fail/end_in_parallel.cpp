// expect: a chain in parallel(merge, chain...) may have no route, no end that writes the parameters
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/parallel.hpp>
using namespace thalweg;

#ifdef FIXED
auto c = parallel(ensemble{}, ema{}, ema{.beta = 0.5});
#else
auto c = parallel(ensemble{}, ema{}, ema{.beta = 0.5} | apply_update{});
#endif
