// expect: thalweg: tensor-wise and parameter-wise transforms get no scalars; their states must be arrays
// expect: counting
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct counting {
#ifndef FIXED
  using over = each_parameter;
#endif
  using states = state<scalar<"sum_of_all">>;  // one a route, and the sums are one a parameter
  constexpr auto reduce(const context&, double) const {
    return []<class T>(element<T> e) { return e.update; };
  }
  constexpr auto at(const context&, double sum, double all) const noexcept {
    return next([]<class T>(element<T> e) { return next(e.update); }, all + sum);
  }
};

auto links = chain(counting{});
