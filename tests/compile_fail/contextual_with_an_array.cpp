// expect: thalweg: a contextual transform sees no arrays; its states must be scalar<...>
// expect: hoarder
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct hoarder {
#ifdef FIXED
  using states = state<scalar<"kept">>;
  constexpr auto at(context c, double kept) const { return next(c, kept); }
#else
  using states = state<zeros<"kept">>;  // no kernel would ever be handed it
  constexpr context at(context c) const { return c; }
#endif
};

auto links = chain(hoarder{});
