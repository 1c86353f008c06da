// expect: thalweg: otherwise(chain) must be the last branch of a route; those behind it are never taken
#include <thalweg/transforms.hpp>
using namespace thalweg;

#ifdef FIXED
auto links = route(when(hidden_matrix, ema{}), otherwise(scale_by_adam{}));
#else
auto links = route(otherwise(scale_by_adam{}), when(hidden_matrix, ema{}));
#endif
