// expect: thalweg: route() needs at least one when(predicate, chain)
#include <thalweg/transforms.hpp>
using namespace thalweg;

#ifdef FIXED
auto links = route(otherwise());
#else
auto links = route();
#endif
