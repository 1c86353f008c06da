// expect: thalweg: [cuda] a tensor-wise transform of this chain has no device form
// folder: tests/cuda/emulated
#include <thalweg/cuda/optimizer.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/scale_by_shampoo.hpp>
using namespace thalweg;

#ifdef FIXED
auto c = nesterov_ema{} | orthogonalize_update{};
#else
auto c = nesterov_ema{} | scale_by_shampoo{};
#endif
auto opt = cuda::optimizer(c, std::vector<parameter<float>>{}, options{});
