// expect: this type is not a transform: it lacks `at(const context&)`
// expect: forgot_everything
#include <thalweg/thalweg.hpp>

using namespace thalweg;

struct forgot_everything {
  double beta = 0.9;
#ifdef FIXED
  constexpr auto at(const context&) const {
    return [b = beta]<class T>(element<T> e) { return next(b * e.update); };
  }
#endif
};

auto chain_of_two = nesterov_ema{} | forgot_everything{};
