// Every transform's kernel as a pass of its own, for the one instruction set for which this file is compiled. What holds
// for compiled/passes.cpp holds here: nothing else may leave it.
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/stage.hpp>
#include <thalweg/runtime/wrapped.hpp>

#include "../compiled/pass.hpp"
#include "transforms.hpp"

namespace thalweg::runtime::detail {
namespace {

using compiled::pass;
using compiled::reduction;

template <class Arch, class T, class Transform>
constexpr auto passes_of() {
  constexpr std::size_t arrays = states_of<Transform>::arrays;
  const auto own = [] {
    if constexpr (elementwise<Transform>) {
      return std::tuple{&pass<Arch, own_traffic<Transform>, T, prepared_of<Transform>>};
    } else if constexpr (thalweg::detail::reducing<Transform>) {
      using kernel = std::remove_const_t<thalweg::detail::sums_kernel<Transform>>;
      return std::tuple{&pass<Arch, own_traffic<Transform>, T, thalweg::detail::bound_kernel<arrays, kernel>>,
                        &reduction<Arch, T, decltype(prepared_of<Transform>::reduce)>};
    } else {
      return std::tuple{};
    }
  };
  const auto average = [] {
    if constexpr (averaging<Transform>) {
      using kernel = decltype(average_by(std::make_index_sequence<states_of<Transform>::scalars>(),
                                         std::declval<const Transform&>(), nullptr));
      return std::tuple{&pass<Arch, thalweg::detail::average_traffic, T, kernel>};
    } else {
      return std::tuple{};
    }
  };
  const auto absorb = [] {
    if constexpr (gate<Transform>)
      return std::tuple{&pass<Arch, absorb_traffic, T, decltype(absorb_by(std::declval<const Transform&>(), 1L))>};
    else return std::tuple{};
  };
  return std::tuple_cat(own(), average(), absorb());
}

template <class Arch, class T, class... Transforms>
constexpr auto passes_of_all(type_list<Transforms...>) {
  return std::tuple_cat(passes_of<Arch, T, Transforms>()...);
}

// What has its address taken is compiled.
[[gnu::used]] constexpr auto in_float = passes_of_all<xsimd::default_arch, float>(all_transforms());
[[gnu::used]] constexpr auto in_double = passes_of_all<xsimd::default_arch, double>(all_transforms());

}  // namespace
}  // namespace thalweg::runtime::detail
