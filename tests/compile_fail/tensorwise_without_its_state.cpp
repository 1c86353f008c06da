// expect: its `apply` must take (const context&, tensor<T> update), then
// expect: forgetful
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct forgetful {
  using states = state<zeros<"last">>;
#ifdef FIXED
  void apply(const context&, tensor<float>, tensor<float>) const noexcept {}
#else
  void apply(const context&, tensor<float>) const noexcept {}
#endif
};

auto links = chain(forgetful{});
