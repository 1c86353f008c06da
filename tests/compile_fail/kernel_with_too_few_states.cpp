// expect: kernel that takes element<T> and one T for each array in `states`
// expect: forgetful
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct forgetful {
  using states = state<zeros<"first">, zeros<"second">>;
  constexpr auto at(const context&) const {
#ifdef FIXED
    return []<class T>(element<T> e, T first, T second) { return next(e.update, first, second); };
#else
    return []<class T>(element<T> e, T first) { return next(e.update, first); };
#endif
  }
};

auto links = chain(forgetful{});
