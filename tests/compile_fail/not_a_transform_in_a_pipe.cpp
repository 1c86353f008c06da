// expect: thalweg: this type is not a transform: it lacks `at(const context&)`
// expect: momentum_settings
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct momentum_settings {
  double beta = 0.9;
#ifdef FIXED
  constexpr auto at(const context&) const {
    return [b = beta]<class T>(element<T> e) { return next(b * e.update); };
  }
#endif
};

auto links = momentum_settings{} | scale_by_adam{};
