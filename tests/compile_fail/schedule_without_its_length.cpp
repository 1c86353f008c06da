// expect: deleted
// expect: required
#include <thalweg/transforms.hpp>
using namespace thalweg;

#ifdef FIXED
auto links = linear{.steps = 1000, .final = 0.1} | scale_by_adam{};
#else
auto links = linear{.final = 0.1} | scale_by_adam{};
#endif
