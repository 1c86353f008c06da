// expect: and returns next(...) or write(...)
// expect: generous
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct generous {
  using states = state<zeros<"first">>;
  constexpr auto at(const context&) const {
#ifdef FIXED
    return []<class T>(element<T> e, T first) { return next(e.update, first); };
#else
    return []<class T>(element<T> e, T first) { return next(e.update, first, first); };
#endif
  }
};

auto links = chain(generous{});
