// expect: thalweg: when(predicate, chain) needs a predicate that takes a const parameter_info&
#include <thalweg/transforms.hpp>
using namespace thalweg;

#ifdef FIXED
[[maybe_unused]] auto links = route(when([](const parameter_info& p) { return p.name == "w"; }, ema{}), otherwise());
#else
[[maybe_unused]] auto links = route(when([](const std::string& name) { return name == "w"; }, ema{}), otherwise());
#endif
