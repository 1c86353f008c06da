// Every pass over memory that the library holds, for the one instruction set for which this file is compiled: each
// stage of each recipe, and each transform's kernel alone. Nothing else may leave this file: an inline function of
// another's, compiled here, could be the copy that the linker keeps for all.
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/lower.hpp>
#include <thalweg/recipes.hpp>
#include <thalweg/transforms.hpp>

#include "dispatched.hpp"

namespace thalweg::passes {

template <class Arch, detail::traffic Writes, class T, class... Bound>
[[gnu::flatten]] void pass(std::size_t n, const detail::arrays<T>& a, const Bound&... bound) {
  detail::run_pass<dispatched, number<xsimd::batch<T, Arch>>, Writes>(n, a, bound...);
}

template <class Arch, class T, class Bound>
void reduction(std::size_t n, const detail::arrays<T>& a, double* sums, const Bound& bound) {
  detail::run_reduction<dispatched, number<xsimd::batch<double, Arch>>>(n, a, sums, bound);
}

namespace {

using namespace thalweg::detail;

template <class Arch, class T, class... Transforms>
constexpr auto of_kernels(kernels<Transforms...>) {
  if constexpr (sizeof...(Transforms) > 0) {
    constexpr bool ends = (terminal<Transforms> || ...);
    return std::tuple{&passes::pass<Arch, traffic{.update = !ends, .parameter = ends}, T,
                                    typename bound_type<Transforms>::type...>};
  } else {
    return std::tuple{};
  }
}

template <class Arch, class T, class Way>
constexpr auto of_way() {
  return []<std::size_t... Stage>(std::index_sequence<Stage...>) {
    return std::tuple_cat(of_kernels<Arch, T>(Way::template kernels_of<Stage>())...);
  }(std::make_index_sequence<Way::stages.count>());
}

template <class Arch, class T, class Recipe>
constexpr auto of_recipe() {
  using plan = laid_out<decltype(chain(Recipe()))>;
  return []<class... Paths>(path_list<Paths...>) {
    return std::tuple_cat(of_way<Arch, T, cut_way<true, typename plan::leaves, Paths>>()...);
  }(typename plan::paths());
}

/// All that a transform's code runs besides its kernel in a stage.
template <class Arch, class T, class Transform>
constexpr auto of_transform() {
  const auto alone = [] {
    if constexpr (has_kernel(kind_of<Transform>())) return of_kernels<Arch, T>(kernels<Transform>());
    else return std::tuple{};
  };
  const auto sums = [] {
    if constexpr (reducing<Transform>) return std::tuple{&passes::reduction<Arch, T, bound_reduction_of<Transform>>};
    else return std::tuple{};
  };
  const auto average = [] {
    if constexpr (averaging<Transform>)
      return std::tuple{&passes::pass<Arch, average_traffic, T,
                                      decltype(average_by(std::declval<const Transform&>(), nullptr))>};
    else return std::tuple{};
  };
  const auto absorb = [] {
    if constexpr (gate<Transform>)
      return std::tuple{
          &passes::pass<Arch, absorb_traffic, T, decltype(absorb_by(std::declval<const Transform&>(), 1L))>};
    else return std::tuple{};
  };
  return std::tuple_cat(alone(), sums(), average(), absorb());
}

template <class Arch, class T, class... Transforms>
constexpr auto of_transforms(type_list<Transforms...>) {
  return std::tuple_cat(of_transform<Arch, T, Transforms>()...);
}
template <class Arch, class T, class... Recipes>
constexpr auto of_recipes(type_list<Recipes...>) {
  return std::tuple_cat(of_recipe<Arch, T, Recipes>()...);
}

// What has its address taken is compiled.
template <class T>
constexpr auto all = std::tuple_cat(of_recipes<xsimd::default_arch, T>(recipes::all()),
                                    of_transforms<xsimd::default_arch, T>(all_transforms()));
[[gnu::used]] constexpr auto in_float = all<float>;
[[gnu::used]] constexpr auto in_double = all<double>;

}  // namespace
}  // namespace thalweg::passes
