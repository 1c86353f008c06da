// expect: a kernel sees one number of each state: rows<...> and columns<...> are for tensor-wise ones
#include <thalweg/core/chain.hpp>
using namespace thalweg;

struct by_row {
#ifdef FIXED
  using states = state<zeros<"moment">>;
#else
  using states = state<rows<"moment">>;
#endif
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e, T moment) { return next(e.update, moment); };
  }
};
auto c = chain(by_row{});
