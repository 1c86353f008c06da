// Every pass over memory of every recipe, for the one instruction set for which this file is compiled. Nothing else may
// leave it: an inline function of another's, compiled here, could be the copy that the linker keeps for all.
#include "pass.hpp"

#include <tuple>
#include <utility>
#include <variant>

#include <thalweg/compiled.hpp>
#include <thalweg/core/stage.hpp>

namespace thalweg::compiled {

namespace {

using namespace thalweg::detail;

template <class Arch, traffic Traffic, class T, class... Bound>
constexpr auto with_kernels(std::type_identity<std::tuple<Bound...>>) {
  return &pass<Arch, Traffic, T, Bound...>;
}

/// The passes and sums of one path, by their addresses.
template <class Arch, class T, class Plan, class Path>
struct passes_of_path {
  using leaves = typename Plan::leaves_type;
  using prepared = decltype(prepare<Path>(std::declval<const leaves&>(), context(), nullptr));
  using scalars = std::array<double, Path::scalar_count>;
  static constexpr std::size_t last = Path::positions - 1;

  template <std::size_t Stage>
  static constexpr auto of_stage() {
    using p = stage_pass<Path, true, Stage>;
    if constexpr (p::exists) {
      using kernels = decltype(p::kernels(std::declval<const leaves&>(), std::declval<const prepared&>(),
                                        std::declval<const typename Plan::sums_type&>()));
      return std::tuple{with_kernels<Arch, p::moves, T>(std::type_identity<kernels>())};
    } else {
      return std::tuple{};
    }
  }
  static constexpr auto of_average() {
    if constexpr (averaging<typename Path::template transform_at<last>>) {
      using kernel = decltype(average_of<Path>(std::declval<const leaves&>(), std::declval<const scalars&>()));
      return std::tuple{with_kernels<Arch, average_traffic, T>(std::type_identity<std::tuple<kernel>>())};
    } else {
      return std::tuple{};
    }
  }
  template <std::size_t Position>
  static constexpr auto of_sums() {
    if constexpr (reduces(Path::kinds[Position])) {
      return std::tuple{&reduction<Arch, T, decltype(std::tuple_element_t<Position, prepared>::reduce)>};
    } else {
      return std::tuple{};
    }
  }
  static constexpr auto all() {
    return []<std::size_t... Stage, std::size_t... I>(std::index_sequence<Stage...>, std::index_sequence<I...>) {
      return std::tuple_cat(of_stage<Stage>()..., of_sums<I>()..., of_average());
    }(std::make_index_sequence<Path::template stages<true>.count>(), std::make_index_sequence<Path::positions>());
  }
};

template <class Arch, class T, class Chain>
constexpr auto passes_of_chain() {
  using plan = thalweg::detail::plan<Chain, true>;
  return []<std::size_t... P>(std::index_sequence<P...>) {
    return std::tuple_cat(passes_of_path<Arch, T, plan, typename plan::template path_at<P>>::all()...);
  }(std::make_index_sequence<plan::path_count>());
}

template <class Arch, class T, class... Recipes>
constexpr auto passes_of(std::type_identity<std::variant<Recipes...>>) {
  return std::tuple_cat(passes_of_chain<Arch, T, decltype(chain(Recipes()))>()...);
}

// What has its address taken is compiled.
[[gnu::used]] constexpr auto in_float = passes_of<xsimd::default_arch, float>(std::type_identity<recipe>());
[[gnu::used]] constexpr auto in_double = passes_of<xsimd::default_arch, double>(std::type_identity<recipe>());

}  // namespace
}  // namespace thalweg::compiled
