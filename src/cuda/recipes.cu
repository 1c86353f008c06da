// For those who have no nvcc: every transform that a device can compute, on its own, and the recipes' stages.
#include <thalweg/cuda.hpp>
#include <thalweg/cuda/gpu.hpp>
#include <thalweg/cuda/lower.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>
#include <thalweg/recipes.hpp>
#include <thalweg/transforms.hpp>

namespace thalweg::cuda {

namespace {

using namespace detail;

template <class Transform>
constexpr bool is_for_device = kind_of<Transform>() != kind::tensorwise || has_device_form<Transform, float>;

template <class Transform>
void add_alone(launches<float>& to) {
  if constexpr (is_for_device<Transform>) {
    to.transforms.push_back(launched<float, Transform>());
    if constexpr (has_kernel(kind_of<Transform>())) add_pass<float>(to, kernels<Transform>());
  }
}

template <class... Transforms, class... Recipes>
launches<float> launches_of(type_list<Transforms...>, type_list<Recipes...>) {
  launches<float> all;
  (add_alone<Transforms>(all), ...);
  (add_passes<float, decltype(chain(Recipes()))>(all), ...);
  return all;
}

}  // namespace

thalweg::detail::device_maker<float> detail::library_on_gpu(void* stream) {
  static const auto all = launches_of(all_transforms(), recipes::all());
  return on_gpu(all, static_cast<cudaStream_t>(stream));
}

}  // namespace thalweg::cuda
