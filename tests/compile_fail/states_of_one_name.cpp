// expect: thalweg: two states of one name
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct twice {
#ifdef FIXED
  using states = state<zeros<"momentum">, copy_of_param<"start">>;
#else
  using states = state<zeros<"momentum">, copy_of_param<"momentum">>;
#endif
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e, T m, T start) { return next(e.update + m - start, m, start); };
  }
};

auto links = chain(twice{});
