// parallel: several chains side by side on one update.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/stage.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg {

/// A merge: the mean of all branches.
struct ensemble {
  template <class T>
  void operator()(tensor<T> update, std::type_identity_t<std::span<const tensor<const T>>> branches) const noexcept {
    for (std::size_t i = 0; i < update.size(); ++i) {
      double sum = 0;
      for (const auto& b : branches) sum += b.data[i];
      update.data[i] = static_cast<T>(sum / static_cast<double>(branches.size()));
    }
  }
};

/// A merge: as long as the first branch, in the direction of the second; nothing where that is zero.
/// Agarwal et al., arXiv 2002.11803.
struct grafting {
  template <class T>
  void operator()(tensor<T> update, const std::array<tensor<const T>, 2>& branches) const noexcept {
    const auto norm = [](tensor<const T> t) {
      double sum = 0;
      for (const T x : t.values()) sum += static_cast<double>(x) * x;
      return sqrt(sum);
    };
    const double length = norm(branches[0]), unit = norm(branches[1]);
    const T by = saturated<T>(unit == 0 ? 0 : length / unit);
    for (std::size_t i = 0; i < update.size(); ++i) update.data[i] = by * branches[1].data[i];
  }
};

namespace detail {

/// Behind a branch's last transform: its update goes to memory, not into the parameter.
struct end_of_branch {
  template <class T>
  void apply(const context&, tensor<T>) const noexcept {}
};

/// A branch as a path of its own, which begins with the update it is given.
template <class Leaves, class Path = std::make_index_sequence<std::tuple_size_v<Leaves>>>
struct branch_plan : path_plan<Leaves, Path> {
  static constexpr bool changed_before(std::size_t) { return true; }
};

// As name_of, where the name is the type's.
template <class Transform>
constexpr std::string_view name_of_type() {
  if constexpr (requires { std::integral_constant<std::size_t, std::string_view(Transform::name).size()>(); })
    return Transform::name;
  else return type_name<Transform>();
}

template <std::size_t Leaf, class Transform, class Slot>
struct branch_slot : Slot {
  static constexpr auto text = [] {  // 2.scale_by_adam.first_moment
    std::array<char, name_of_type<Transform>().size() + Slot::name.size() + 4> letters{};
    auto at = letters.begin();
    *at++ = static_cast<char>('0' + (Leaf + 1) / 10);
    *at++ = static_cast<char>('0' + (Leaf + 1) % 10);
    *at++ = '.';
    at = std::ranges::copy(name_of_type<Transform>(), at).out;
    *at++ = '.';
    std::ranges::copy(Slot::name, at);
    return letters;
  }();
  static constexpr std::string_view name{text.data() + (text[0] == '0'), text.size() - (text[0] == '0')};
  template <class Parallel>
  static std::vector<std::size_t> shape(const Parallel& p, const parameter_info& of) {
    return Slot::shape(std::get<Leaf>(p.leaves()), of);
  }
  template <class Parallel, class T>
  static constexpr T initial(const Parallel& p, T parameter) {
    return Slot::initial(std::get<Leaf>(p.leaves()), parameter);
  }
};

template <class... A, class... B>
state<A..., B...> joined_states(state<A...>, state<B...>);
template <std::size_t Leaf, class Transform, class... Slots>
state<branch_slot<Leaf, Transform, Slots>...> branch_states(state<Slots...>);

template <std::size_t First, class Leaves>
struct states_of_leaves { using type = state<>; };
template <std::size_t First, class Leaf, class... Leaves>
struct states_of_leaves<First, std::tuple<Leaf, Leaves...>> {
  using type = decltype(joined_states(branch_states<First, Leaf>(states_of<Leaf>()),
                                      typename states_of_leaves<First + 1, std::tuple<Leaves...>>::type()));
};

/// What `run_stage` wants to know of a parameter.
template <class T, std::size_t Arrays>
struct branch_parameter {
  tensor<const T> info;
  T* data;
  std::array<T*, Arrays> states;
  std::array<std::span<const std::size_t>, Arrays> state_shapes;
};

}  // namespace detail

template <class Merge, class... Chains>
struct parallel_chains {
  Merge merge;
  std::tuple<Chains...> chains;
  static constexpr std::string_view name = "parallel";

  [[nodiscard]] std::string text() const {
    return std::apply([&](const auto&... c) { return call_text(name, name_of(merge), to_text(c)...); }, chains);
  }

  /// All branches' transforms, one after the other.
  [[nodiscard]] constexpr auto leaves() const {
    return std::apply([](const auto&... c) { return std::tuple_cat(detail::leaves(c)...); }, chains);
  }
  using leaves_type = decltype(std::tuple_cat(detail::leaves(std::declval<const Chains&>())...));
  using states = typename detail::states_of_leaves<0, leaves_type>::type;

  [[nodiscard]] std::string computed_by() const {
    std::string text;
    const auto add = [&](const auto& leaf) {
      if constexpr (requires { leaf.computed_by(); })
        text += in_words(text.empty() ? "" : ", ", name_of(leaf), " by ", leaf.computed_by());
    };
    std::apply([&](const auto&... leaf) { (add(leaf), ...); }, leaves());
    return text;
  }

  void check(const parameter_info& p) const {
    const auto check = [&](const auto& leaf) {
      if constexpr (requires { leaf.check(p); }) leaf.check(p);
    };
    std::apply([&](const auto&... leaf) { (check(leaf), ...); }, leaves());
  }
  void check(const context& c) const {  // whatever `at` refuses, it refuses before the step
    for_each_branch([&](auto, auto, const auto& branch) {
      detail::prepare<detail::branch_plan<std::remove_cvref_t<decltype(branch)>>>(branch, c, nullptr);
    });
  }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const {
    std::size_t most = 0;
    const auto add = [&](const auto& leaf) {
      if constexpr (requires { leaf.scratch(p); }) most = std::max(most, leaf.scratch(p));
    };
    std::apply([&](const auto&... leaf) { (add(leaf), ...); }, leaves());
    return sizeof...(Chains) * detail::padded<float>(p.size()) + most;
  }

  template <class T, class... States>
    requires(sizeof...(States) == states::arrays)
  void apply(const context& c, whole<T> w, std::span<T> scratch, States... given) const noexcept(is_quiet<T>) {
    const std::size_t n = w.update.size(), room = detail::padded<float>(n);
    const std::array<tensor<T>, sizeof...(States)> all{given...};
    std::array<tensor<const T>, sizeof...(Chains)> results;
    for_each_branch([&](auto number, auto first_array, const auto& branch) {
      using plan = detail::branch_plan<std::remove_cvref_t<decltype(branch)>>;
      T* const update = scratch.data() + number * room;
      std::copy_n(w.update.data, n, update);
      results[number] = {update, w.update.shape, w.update.order, w.update.name};
      // The parameter is only read: a branch has no end that writes it.
      detail::branch_parameter<T, plan::array_count> p{w.parameter, const_cast<T*>(w.parameter.data), {}, {}};
      for (std::size_t j = 0; j < plan::array_count; ++j) {
        p.states[j] = all[first_array + j].data;
        p.state_shapes[j] = all[first_array + j].shape;
      }
      const auto prepared = detail::prepare<plan>(branch, c, nullptr);
      detail::sums_for<std::remove_cvref_t<decltype(branch)>> measured{};
      [&]<std::size_t... S>(std::index_sequence<S...>) {
        (detail::run_stage<plan, S>(detail::fused_passes(), branch, prepared, measured, p, w.gradient.data, update,
                                    scratch.subspan(sizeof...(Chains) * room), 0, n), ...);
      }(std::make_index_sequence<plan::template stages<true>.count>());
    });
    merge(w.update, results);
  }

private:
  // Whether neither a branch nor the merge may throw.
  template <class T>
  static constexpr bool is_quiet = []<class... L>(std::tuple<L...>*) {
    using results = std::array<tensor<const T>, sizeof...(Chains)>;
    return !(detail::may_throw<L, T>() || ...) && std::is_nothrow_invocable_v<const Merge&, tensor<T>, const results&>;
  }(static_cast<leaves_type*>(nullptr));

  /// f(number, its first array, its leaves and the end)
  template <class F>
  constexpr void for_each_branch(F f) const {
    std::size_t number = 0, first_array = 0;
    const auto visit = [&](const auto& chain) {
      const auto branch = std::tuple_cat(detail::leaves(chain), std::tuple<detail::end_of_branch>());
      f(number++, first_array, branch);
      first_array += detail::branch_plan<std::remove_cvref_t<decltype(branch)>>::array_count;
    };
    std::apply([&](const auto&... c) { (visit(c), ...); }, chains);
  }
};

namespace detail {
// Outside of the branch somebody would decay again.
template <class Leaf>
constexpr bool spends_decay() {
  if constexpr (std::is_default_constructible_v<Leaf> && requires(const Leaf& t, const context& c) { t.pass_on(c); })
    return Leaf().pass_on(context{.step = 2, .weight_decay = 1}).weight_decay != 1;
  else return false;
}
template <class Leaf>
constexpr bool fits_a_branch() {
  if constexpr (is_routed<Leaf>) return false;
  else return !modelwise<Leaf> && !terminal<Leaf> && !gate<Leaf> && states_of<Leaf>::scalars == 0 && !spends_decay<Leaf>();
}
template <class... Links>
constexpr bool is_branch_chain(chained<Links...>*) { return (fits_a_branch<Links>() && ...); }
}  // namespace detail

/// Every chain gets the update as it comes here and changes a copy of it; `merge(update, results)` puts them together.
/// Within a chain element-wise neighbours fuse; the whole is tensor-wise. Its states are the chains'. What a contextual
/// transform changes stays in its chain.
///
///     auto c = parallel(grafting{}, scale_by_adam{}, nesterov_ema{} | orthogonalize_update{});
template <class Merge, class... Branches>
constexpr auto parallel(Merge merge, Branches... branches) {
  static_assert(sizeof...(Branches) > 0, "thalweg: parallel(merge, chain...) needs a chain");
  const auto make = [&]<class... Chains>(Chains... chains) {
    static_assert((detail::is_branch_chain(static_cast<Chains*>(nullptr)) && ...),
                  "thalweg: a chain in parallel(merge, chain...) may have no route, no end that writes the parameters, "
                  "nothing model-wise, no accumulate, no scalar state and nothing that spends the weight decay (decay_weights), which "
                  "stands before or behind it");
    return parallel_chains<Merge, Chains...>{std::move(merge), {std::move(chains)...}};
  };
  return make(chain(std::move(branches))...);
}

}  // namespace thalweg
