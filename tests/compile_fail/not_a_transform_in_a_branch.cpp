// expect: thalweg: this type is not a transform: it lacks `at(const context&)`
// expect: negate<float>
#include <functional>

#include <thalweg/transforms.hpp>
using namespace thalweg;

#ifdef FIXED
auto links = route(when(hidden_matrix, ema{}), otherwise());
#else
auto links = route(when(hidden_matrix, std::negate<float>{}), otherwise());
#endif
