#include "transforms.hpp"

#include <tuple>
#include <type_traits>

#include <thalweg/core/lower.hpp>
#include <thalweg/transforms.hpp>

#include "dispatched.hpp"

namespace thalweg::passes {

template <class T, class Transform>
detail::any_transform<T> lowered_in_library::lower(const Transform& t, std::size_t set) {
  return detail::erased<T, dispatched, true>(t, set);
}

namespace {

template <class T, class... Transforms>
constexpr auto every_lowered(type_list<Transforms...>) {
  return std::tuple{&lowered_in_library::lower<T, Transforms>...};
}
// What has its address taken is compiled.
[[gnu::used]] constexpr auto in_float = every_lowered<float>(all_transforms());
[[gnu::used]] constexpr auto in_double = every_lowered<double>(all_transforms());

}  // namespace

}  // namespace thalweg::passes
