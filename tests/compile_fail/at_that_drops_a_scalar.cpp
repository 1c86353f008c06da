// expect: thalweg: at(context, scalars...) must return next(..., scalars...), a double for each scalar
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

std::vector<float> w(6);

struct counting {
  using states = state<scalar<"calls">>;
  constexpr auto at(context c, double calls) const {
    c.lr /= calls + 1;
#ifdef FIXED
    return next(c, calls + 1);
#else
    return c;
#endif
  }
};

void use() {
  optimizer(counting{}, std::vector<parameter<float>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {});
}
