// expect: thalweg: tensor-wise and parameter-wise transforms get no scalars; their states must be arrays
// expect: counting
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct counting {
#ifdef FIXED
  using states = state<zeros<"last">>;
  void apply(const context&, tensor<float>, tensor<float>) const noexcept {}
#else
  using states = state<scalar<"calls">>;  // would never be handed over
  void apply(const context&, tensor<float>) const noexcept {}
#endif
};

auto links = chain(counting{});
