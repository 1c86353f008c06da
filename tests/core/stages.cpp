// How a chain is cut: paths through its routes, stages between its barriers, slots of state.
#include <thalweg/core/optimizer.hpp>

#include <algorithm>
#include <initializer_list>
#include <tuple>
#include <utility>

#include <doctest/doctest.h>

using namespace thalweg;

namespace {

struct c0 {
  constexpr context at(context c) const { return c; }
};
struct e0 {
  using states = state<zeros<"m">>;
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e, T m) { return next(e.update, m); };
  }
};
struct e1 {
  using states = state<scalar<"s">, zeros<"a">, copy_of_param<"b">>;
  constexpr auto at(const context&, double s) const {
    return next([]<class T>(element<T> e, T a, T b) { return next(e.update, a, b); }, s);
  }
};
struct t0 {
  template <class T>
  void apply(const context&, tensor<T>) const noexcept {}
};
struct m0 {
  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return e.update; };
  }
  constexpr auto at(const context&, double) const noexcept {
    return []<class T>(element<T> e) { return next(e.update); };
  }
};
struct end {
  using states = state<copy_of_param<"z">>;
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e, T z) { return write(e.parameter, z); };
  }
};

static_assert(contextual<c0> && !elementwise<c0> && !tensorwise_transform<c0> && !modelwise<c0>);
static_assert(elementwise<e0> && !contextual<e0> && !tensorwise_transform<e0> && !modelwise<e0>);
static_assert(elementwise<e1> && !terminal<e1>);
static_assert(tensorwise_transform<t0> && !elementwise<t0> && !contextual<t0> && !modelwise<t0>);
static_assert(modelwise<m0> && !elementwise<m0> && !contextual<m0> && !tensorwise_transform<m0>);
static_assert(elementwise<end> && terminal<end> && !averaging<end>);
static_assert(terminal<apply_update>);
static_assert(!transform<int> && !transform<context> && !transform<std::tuple<>>);

template <bool Fused, class... Leaves>
constexpr bool cut_into(std::initializer_list<std::pair<std::size_t, std::size_t>> expected) {
  using way = detail::cut_way<Fused, std::tuple<Leaves...>, std::index_sequence_for<Leaves...>>;
  if (way::stages.count != expected.size()) return false;
  std::size_t i = 0;
  for (const auto& [begin, last] : expected) {
    if (way::stages.list[i].begin != begin || way::stages.list[i].end != last) return false;
    ++i;
  }
  return true;
}
template <class... Leaves>
constexpr bool fused(std::initializer_list<std::pair<std::size_t, std::size_t>> expected) {
  return cut_into<true, Leaves...>(expected);
}
template <class... Leaves>
constexpr bool unfused_cut(std::initializer_list<std::pair<std::size_t, std::size_t>> expected) {
  return cut_into<false, Leaves...>(expected);
}

// Element-wise neighbours are one stage, whatever contextual transforms stand between them.
static_assert(fused<>({{0, 0}}));
static_assert(fused<e0>({{0, 1}}));
static_assert(fused<e0, e1, e0, end>({{0, 4}}));
static_assert(fused<c0, e0, c0, c0, e1, end>({{0, 6}}));
static_assert(fused<c0, c0>({{0, 2}}));
// A tensor-wise transform belongs to no stage.
static_assert(fused<t0>({{0, 0}, {1, 1}}));
static_assert(fused<e0, t0, e1, end>({{0, 1}, {2, 4}}));
static_assert(fused<e0, t0, t0, end>({{0, 1}, {2, 2}, {3, 4}}));
static_assert(fused<t0, c0, t0>({{0, 0}, {1, 2}, {3, 3}}));
// A model-wise one begins the stage behind it.
static_assert(fused<m0, end>({{0, 0}, {0, 2}}));
static_assert(fused<e0, m0, e0, end>({{0, 1}, {1, 4}}));
static_assert(fused<m0, m0, end>({{0, 0}, {0, 1}, {1, 3}}));
static_assert(fused<e0, t0, m0, end>({{0, 1}, {2, 2}, {2, 4}}));
static_assert(fused<m0, t0, end>({{0, 0}, {0, 1}, {2, 3}}));
static_assert(fused<c0, m0, c0, t0, m0, e0>({{0, 1}, {1, 3}, {4, 4}, {4, 6}}));

static_assert(unfused_cut<e0, e1, e0, end>({{0, 1}, {1, 2}, {2, 3}, {3, 4}}));
static_assert(unfused_cut<c0, e0, c0, e1>({{0, 3}, {3, 4}}));
static_assert(unfused_cut<m0, e0, end>({{0, 0}, {0, 1}, {1, 2}, {2, 3}}));
static_assert(unfused_cut<e0, t0, e0, e0>({{0, 1}, {2, 3}, {3, 4}}));

// ---- paths ----------------------------------------------------------------------------------------

template <class Chain>
using laid_out = detail::laid_out<std::remove_const_t<Chain>>;
template <std::size_t... Leaf>
using expected_path = std::index_sequence<Leaf...>;

template <class Chain, class... Paths>
inline constexpr bool has_paths =
    std::is_same_v<typename detail::layout<0, Chain>::paths, detail::path_list<Paths...>>;

struct p0 {
  constexpr bool operator()(const parameter_info& p) const { return p.name == "0"; }
};
struct p1 {
  constexpr bool operator()(const parameter_info& p) const { return p.name == "1"; }
};

constexpr auto flat = e0{} | t0{} | end{};
static_assert(has_paths<std::remove_const_t<decltype(flat)>, expected_path<0, 1, 2>>);

constexpr auto grouped = (e0{} | t0{}) | (c0{} | end{});
static_assert(std::is_same_v<decltype(grouped), decltype(chain(e0{}, t0{}, c0{}, end{})) const>);
static_assert(std::is_same_v<decltype(chain(chain(), e0{}, chain(t0{}))), decltype(e0{} | t0{})>);

constexpr auto forked = route(when(p0{}, e0{} | t0{}), when(p1{}), otherwise(c0{})) | e1{} | end{};
static_assert(has_paths<std::remove_const_t<decltype(forked)>, expected_path<0, 1, 3, 4>, expected_path<3, 4>,
                        expected_path<2, 3, 4>>);

// Two routes in one chain: every way through the first meets every way through the second.
constexpr auto twice =
    route(when(p0{}, e0{}), otherwise(t0{})) | c0{} | route(when(p1{}, m0{}), otherwise()) | end{};
static_assert(has_paths<std::remove_const_t<decltype(twice)>, expected_path<0, 2, 3, 4>,
                        expected_path<0, 2, 4>, expected_path<1, 2, 3, 4>, expected_path<1, 2, 4>>);

constexpr auto nested = route(when(p0{}, e0{} | route(when(p1{}, t0{}), otherwise(m0{})) | e1{}),
                              otherwise(route(otherwise(c0{})))) |
                        end{};
static_assert(has_paths<std::remove_const_t<decltype(nested)>, expected_path<0, 1, 3, 5>,
                        expected_path<0, 2, 3, 5>, expected_path<4, 5>>);

// A path that does not write gets `apply_update`, the leaf behind the last; one that does, does not.
constexpr auto half = route(when(p0{}, e0{} | end{}), otherwise(e1{}));
static_assert(laid_out<decltype(half)>::written::leaves == 3);
static_assert(std::is_same_v<laid_out<decltype(half)>::paths,
                             detail::path_list<expected_path<0, 1>, expected_path<2, 3>>>);
static_assert(std::is_same_v<laid_out<decltype(half)>::leaf_type<3>, apply_update>);
static_assert(std::is_same_v<laid_out<decltype(chain())>::paths, detail::path_list<expected_path<0>>>);

template <class Chain>
detail::program<float> program_of(const Chain& c) { return detail::program_of<float>(c); }
using transforms = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a program has the paths of the layout, and tells a parameter its own") {
  const auto path_of = [](const auto& links, const char* name) {
    const auto p = program_of(links);
    return p.paths[p.select(parameter_info{.name = name, .shape = {1}})].transforms;
  };
  CHECK(path_of(forked, "0") == transforms{0, 1, 3, 4});
  CHECK(path_of(forked, "1") == transforms{3, 4});
  CHECK(path_of(forked, "2") == transforms{2, 3, 4});
  CHECK(path_of(twice, "0") == transforms{0, 2, 4});
  CHECK(path_of(twice, "1") == transforms{1, 2, 3, 4});
  CHECK(path_of(twice, "2") == transforms{1, 2, 4});
  CHECK(path_of(nested, "0") == transforms{0, 2, 3, 5});
  CHECK(path_of(nested, "2") == transforms{4, 5});
  CHECK(path_of(flat, "0") == transforms{0, 1, 2});
}

TEST_CASE("a path knows its slots of state, and has one pass for each stage with kernels") {
  const auto p = program_of(half);
  REQUIRE(p.paths.size() == 2);
  CHECK(p.paths[0].first_array.back() == 2);
  CHECK(p.paths[0].first_scalar.back() == 0);
  CHECK(p.paths[1].first_array.back() == 2);
  CHECK(p.paths[1].first_scalar.back() == 1);
  for (const auto& path : p.paths) {
    REQUIRE(path.passes.size() == 1);
    CHECK(path.passes[0].size() == 1);
    CHECK(path.passes[0][0].count == 2);
  }
  const auto q = program_of(flat);
  REQUIRE(q.paths[0].passes.size() == 2);
  CHECK(q.paths[0].passes[0].size() == 1);
  CHECK(q.paths[0].passes[1].size() == 1);
}

TEST_CASE("phases: each model-wise barrier, and the end") {
  CHECK(program_of(chain(m0{}, m0{}, end{})).phases == transforms{0, 1, 3});
  CHECK(program_of(e0{} | t0{}).phases == transforms{2});
}
