// expect: thalweg: this type is not a transform: it lacks `at(const context&)`
// expect: checked_transform<int>
#include <thalweg/transforms.hpp>
using namespace thalweg;

#ifdef FIXED
auto links = chain(ema{}, scale{.by = 3});
#else
auto links = chain(ema{}, 3);
#endif
