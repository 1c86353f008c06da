// expect: and returns next(...) or write(...)
// expect: bare
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct bare {
  constexpr auto at(const context&) const {
#ifdef FIXED
    return []<class T>(element<T> e) { return next(e.update); };
#else
    return []<class T>(element<T> e) { return e.update; };
#endif
  }
};

auto links = chain(bare{});
