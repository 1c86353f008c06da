// expect: thalweg: [cuda] a transform of this chain is no constant expression on ones at its defaults
// folder: tests/cuda/emulated
#include <thalweg/cuda/optimizer.hpp>
using namespace thalweg;

#ifdef FIXED
constexpr
#endif
inline double squared(double x) { return x * x; }

struct by_a_square {
  double root = 2;
  constexpr auto at(const context&) const {
    return [r = root]<class T>(element<T> e) { return next(T(squared(r)) * e.update); };
  }
};

auto opt = cuda::optimizer(by_a_square{}, std::vector<parameter<float>>{}, options{});
