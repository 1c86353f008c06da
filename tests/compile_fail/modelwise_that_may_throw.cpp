// expect: a model-wise `at(const context&, double sums..., scalars...)` must also be noexcept
// expect: divide_by_sum
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct divide_by_sum {
  constexpr auto reduce(const context&) const noexcept {
    return []<class T>(element<T> e) { return e.update; };
  }
#ifdef FIXED
  constexpr auto at(const context&, double sum) const noexcept {
#else
  constexpr auto at(const context&, double sum) const {  // in mid-step there is no way back
#endif
    return [sum]<class T>(element<T> e) { return next(e.update / sum); };
  }
};

auto links = chain(divide_by_sum{});
