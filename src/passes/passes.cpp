// Every pass over memory that the library holds, for the one instruction set for which this file is compiled: each
// stage of each recipe, and each transform's kernel alone. This file may export nothing else: the linker could
// keep its copy of a shared inline function for all files, and other machines cannot run that copy.
#include <cstddef>
#include <utility>

#include <thalweg/core/lower.hpp>
#include <thalweg/recipes.hpp>
#include <thalweg/transforms.hpp>

#include "compile.hpp"
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
void compile_pass(kernels<Transforms...>) {
  constexpr bool ends = (terminal<Transforms> || ...);
  if constexpr (sizeof...(Transforms) > 0)
    compile(&passes::pass<Arch, traffic{.update = !ends, .parameter = ends}, T, typename bound_type<Transforms>::type...>);
}

/// All that a transform's code runs besides its kernel in a stage.
template <class Arch, class T, class Transform>
void compile_transform() {
  if constexpr (has_kernel(kind_of<Transform>())) compile_pass<Arch, T>(kernels<Transform>());
  if constexpr (reducing<Transform>) compile(&passes::reduction<Arch, T, bound_reduction_of<Transform>>);
  if constexpr (averaging<Transform>)
    compile(&passes::pass<Arch, average_traffic, T, decltype(average_by(std::declval<const Transform&>(), nullptr))>);
  if constexpr (gate<Transform>)
    compile(&passes::pass<Arch, absorb_traffic, T, decltype(absorb_by(std::declval<const Transform&>(), 1L))>);
}

template <class Arch, class T, class... Transforms>
void compile_transforms(type_list<Transforms...>) {
  (compile_transform<Arch, T, Transforms>(), ...);
}
template <class Arch, class T, class... Recipes>
void compile_recipes(type_list<Recipes...>) {
  (for_each_stage_of_chain<decltype(chain(Recipes())), true>([](auto kernels) { compile_pass<Arch, T>(kernels); }), ...);
}

template <class T>
void compile_all() {
  compile_recipes<xsimd::default_arch, T>(recipes::all());
  compile_transforms<xsimd::default_arch, T>(all_transforms());
}
[[gnu::used]] void compile_all_in_float() { compile_all<float>(); }
[[gnu::used]] void compile_all_in_double() { compile_all<double>(); }

}  // namespace
}  // namespace thalweg::passes
