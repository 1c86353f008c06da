// The tests that every transform must pass, alone and in a chain:
//
//     TEST_CASE("suite: my_transform") { suite(my_transform{.beta = 0.8}); }
//     TEST_CASE("suite: my_matrix_transform") { suite(my_matrix_transform{}, takes::matrices); }
//
// Fused equals unfused and float equals double at every length and alignment, on vectors and matrices; nothing else in
// memory is touched; a route equals separate optimizers; many parameters equal one; zero, tiny, huge and NaN gradients;
// x and back; the same bits twice, for any number of threads and from text; state as declared; every hyper-parameter refused just
// outside its range.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <thalweg/core/unfused.hpp>
#include <thalweg/transforms/scale.hpp>

#include "training.hpp"

namespace training {

/// How a chain treats one parameter. `tensorwise`: an element's way depends on its parameter's others.
struct way {
  std::size_t state = 0;  ///< numbers of it
  bool averaged = false, tensorwise = false, modelwise = false;
};

/// A chain with one hyper-parameter at the edge of its range.
struct edge {
  std::string refusal;  ///< how the message begins, where it must be refused
  double value;
  builder<double> build;
};

namespace detail {

template <class... Links>
void follow(const thalweg::chained<Links...>&, const thalweg::parameter_info&, way&);
template <class... Branches>
void follow(const thalweg::routed<Branches...>&, const thalweg::parameter_info&, way&);
template <class Leaf>
void follow(const Leaf& leaf, const thalweg::parameter_info& p, way& w) {
  const auto info = thalweg::detail::erased<double, thalweg::detail::fused_passes, false>(leaf, 0).info;
  for (std::size_t array = 0; array < info->is.arrays; ++array) w.state += thalweg::element_count(info->shape(array, p));
  using thalweg::detail::kind;
  w.averaged = w.averaged || info->is.averages;
  w.modelwise = w.modelwise || info->is.what == kind::modelwise;
  w.tensorwise = w.tensorwise || info->is.what == kind::tensorwise || info->is.what == kind::parameterwise;
}
template <class... Links>
void follow(const thalweg::chained<Links...>& c, const thalweg::parameter_info& p, way& w) {
  c.links.apply([&](const auto&... l) { (follow(l, p, w), ...); });
}
template <class... Branches>
void follow(const thalweg::routed<Branches...>& r, const thalweg::parameter_info& p, way& w) {
  bool taken = false;
  const auto consider = [&](const auto& b) {
    if (taken || !b.predicate(p)) return;
    taken = true;
    follow(b.chain, p, w);
  };
  r.branches.for_each(consider);
}

// f(value) for each value of a list, to be changed.
template <std::size_t... I, class... Values, class F>
void for_each_value(thalweg::detail::all_listed<std::index_sequence<I...>, Values...>& list, const F& f) {
  (f(static_cast<thalweg::detail::listed<I, Values>&>(list).value), ...);
}

// f(transform) for each transform of a chain, to be changed.
template <class... Links, class F>
void for_each_leaf(thalweg::chained<Links...>&, const F&);
template <class... Branches, class F>
void for_each_leaf(thalweg::routed<Branches...>&, const F&);
template <class Leaf, class F>
void for_each_leaf(Leaf& leaf, const F& f) {
  f(leaf);
}
template <class... Links, class F>
void for_each_leaf(thalweg::chained<Links...>& c, const F& f) {
  for_each_value(c.links, [&](auto& l) { for_each_leaf(l, f); });
}
template <class... Branches, class F>
void for_each_leaf(thalweg::routed<Branches...>& r, const F& f) {
  for_each_value(r.branches, [&](auto& b) { for_each_leaf(b.chain, f); });
}

// The numbers next to a range's two ends, outside and inside; for a whole number whole.
inline std::vector<double> ends(const thalweg::range& r, bool outside, bool whole) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto next = [&](double x, double towards) {
    return whole ? x + (towards > x ? 1 : -1) : std::nextafter(x, towards);
  };
  const auto end = [&](double at, bool included, double inwards) {
    if (outside == included) return next(at, outside ? -inwards : inwards);
    return at;
  };
  std::vector<double> values;
  if (std::isfinite(r.low)) values.push_back(end(r.low, r.low_included, infinity));
  if (std::isfinite(r.high)) values.push_back(end(r.high, r.high_included, -infinity));
  if (outside && !whole) {
    values.push_back(std::numeric_limits<double>::quiet_NaN());
    if (!std::isfinite(r.low)) values.push_back(-infinity);
    if (!std::isfinite(r.high)) values.push_back(infinity);
  }
  return values;
}

template <class Chain, class Owner>
void add_edges(const Chain& chain, std::string_view where, Owner& owner, bool outside, std::vector<edge>& edges) {
  const auto add = [&](const auto& field) {
    auto& place = owner.*field.member;
    using value = typename std::remove_cvref_t<decltype(field)>::value_type;
    if constexpr (std::is_arithmetic_v<value>) {
      const auto usual = place;
      for (const double x : ends(field.allowed, outside, std::is_integral_v<value>)) {
        place = static_cast<value>(x);
        edges.push_back({"[" + std::string(where) + "] Expected " + std::string(field.name) + " in " +
                             thalweg::to_text(field.allowed) + ". Received ",
                         x, build_on_host<double>(chain)});
      }
      place = usual;
    } else if constexpr (thalweg::has_fields<value>) {
      add_edges(chain, where, place, outside, edges);
    } else if constexpr (requires { place.index(); }) {
      std::visit([&](auto& choice) {
        if constexpr (thalweg::has_fields<std::remove_reference_t<decltype(choice)>>)
          add_edges(chain, where, choice, outside, edges);
      }, place);
    }
  };
  thalweg::for_each_field<Owner>(add);
}
template <class Chain>
std::vector<edge> edges_of(Chain chain, bool outside) {
  std::vector<edge> edges;
  for_each_leaf(chain, [&]<class Leaf>(Leaf& leaf) {
    if constexpr (thalweg::has_fields<Leaf>) {
      const std::string name(thalweg::name_of(leaf));
      add_edges(chain, name, leaf, outside, edges);
    }
  });
  return edges;
}

}  // namespace detail

/// A bystander in a route; its parameters' names begin with `~`.
inline bool is_bystander(const thalweg::parameter_info& p) { return p.name.front() == '~'; }
inline constexpr thalweg::scale bystanders_chain{.by = 0.5};

/// A chain, its types forgotten: compiled for float and double, on the host and, where it can be and this unit's folders
/// of includes have one, on a device; on the host also unfused in a route.
struct subject : test::builders {
  builder<double> unfused_in_a_route;
  std::optional<test::builders> on_device;
  std::string text;
  bool is_recipe;
  std::function<way(const thalweg::parameter_info&)> follow;
  std::vector<edge> outside, inside;

  template <class Given>
    requires(!std::is_same_v<Given, subject>)
  subject(const Given& given) : subject(thalweg::chain(given), thalweg::recipe<Given>) {}  // NOLINT: implicit by intent

private:
  template <class Chain>
  subject(const Chain& chain, bool recipe)
      : builders{build_on_host<float>(chain), build_on_host<double>(chain)},
        unfused_in_a_route(build_on_host<double>(thalweg::unfused(thalweg::route(
            thalweg::when(is_bystander, bystanders_chain), thalweg::otherwise(chain))))),
        on_device(test::builders_on_device(chain)), text(to_text(chain)), is_recipe(recipe), follow([=](const thalweg::parameter_info& p) {
          way w;
          detail::follow(chain, p, w);
          return w;
        }),
        outside(detail::edges_of(chain, true)), inside(detail::edges_of(chain, false)) {}
};

/// f(subject), and for the same on a device.
template <class F>
void wherever_it_runs(const subject& s, const F& f) {
  f(s);
  if (!s.on_device) return;
  subject there = s;
  static_cast<test::builders&>(there) = *s.on_device;
  f(there);
}

/// Which parameters a chain takes. One that takes matrices refuses a vector.
enum class takes { everything, matrices };

/// The suite itself.
void suite(const subject& s, takes what = takes::everything);

}  // namespace training
