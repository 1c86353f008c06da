// expect: thalweg: route(...) takes when(predicate, chain) and otherwise(chain) only
#include <thalweg/transforms.hpp>
using namespace thalweg;

#ifdef FIXED
auto links = route(when(hidden_matrix, ema{}), otherwise(scale_by_adam{}));
#else
auto links = route(when(hidden_matrix, ema{}), scale_by_adam{});
#endif
