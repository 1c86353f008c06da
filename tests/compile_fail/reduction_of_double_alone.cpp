// expect: the kernel of its `reduce(const context&, scalars...)` take element<T>, or it and the states, for every T
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct normalize {
  constexpr auto reduce(const context&) const {
#ifdef FIXED
    return []<class T>(element<T> e) { return e.update * e.update; };
#else
    return [](element<number<double>> e) { return e.update * e.update; };
#endif
  }
  constexpr auto at(const context&, double sum) const noexcept {
    return [by = 1 / sqrt(sum)]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};

auto c = normalize{} | apply_update{};
