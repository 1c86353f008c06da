// The four kinds of transform, told apart by what their members return. Nothing is declared twice and nothing is
// inherited: a transform is an aggregate with
//
//   contextual     constexpr context at(context, scalars…) const
//   element-wise   constexpr auto at(const context&, scalars…) const -> kernel(element<T>, T states…)
//   tensor-wise    void apply(const context&, tensor<T> update, tensor<T> states…) const
//                  with std::size_t scratch(parameter_info) const: apply(context, update, std::span<T> scratch, states…)
//   model-wise     constexpr auto reduce(const context&) const -> kernel(element<T>) -> T, summed over all parameters;
//                  constexpr auto at(const context&, double sum) const noexcept -> kernel, as element-wise
//
// and, where it has any,
//
//   using states = state<…>              what it remembers
//   static constexpr auto fields         its hyper-parameters' names and ranges
//   void check(parameter_info) const     refuses a parameter, at binding
//   context pass_on(context) const       what is downstream of an element-wise transform (decay_weights spends λ)
//   auto average(scalars…) const         of a terminal that averages: the kernel that recovers x
//   using feeds = …, using reads = …     what it sets for a transform downstream, or reads from one upstream
//   std::string computed_by() const      what stands behind it, for describe()
//   std::string_view name                where it is not the type's
#pragma once

#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/context.hpp>
#include <thalweg/core/element.hpp>
#include <thalweg/core/field.hpp>
#include <thalweg/core/number.hpp>
#include <thalweg/core/state.hpp>
#include <thalweg/core/tensor.hpp>

namespace thalweg {

namespace detail {
template <class Transform>
struct declared_states { using type = state<>; };
template <class Transform>
  requires requires { typename Transform::states; }
struct declared_states<Transform> { using type = typename Transform::states; };

template <class T>
struct unwrapped { using type = T; };
template <class Value, class... States>
struct unwrapped<next_t<Value, States...>> { using type = Value; };

template <class T>
inline constexpr bool is_write = false;
template <class Value, class... States>
inline constexpr bool is_write<write_t<Value, States...>> = true;

// f(first…, rest × N), where every one of the N is of one type
template <class T, std::size_t>
using repeated = T;
template <class F, class Repeated, std::size_t N, class... First>
concept invocable_with = []<std::size_t... I>(std::index_sequence<I...>) {
  return std::is_invocable_v<F, First..., repeated<Repeated, I>...>;
}(std::make_index_sequence<N>());
}  // namespace detail

template <class Transform>
using states_of = typename detail::declared_states<Transform>::type;

namespace detail {
// `at(context, scalars…)`, called and stripped of the new scalars
template <class Transform, std::size_t... I>
auto at_result(const Transform& t, std::index_sequence<I...>)
    -> decltype(t.at(std::declval<const context&>(), repeated<double, I>()...));
template <class Transform>
using at_type =
    decltype(at_result(std::declval<const Transform&>(), std::make_index_sequence<states_of<Transform>::scalars>()));
template <class Transform>
using at_value = typename unwrapped<at_type<Transform>>::type;
template <class Transform>
concept has_at = requires { typename at_type<Transform>; };

template <class Kernel, std::size_t... I>
auto kernel_result(const Kernel& k, std::index_sequence<I...>)
    -> decltype(k(std::declval<element<number<float>>>(), repeated<number<float>, I>()...));
template <class Kernel, std::size_t Arrays>
using kernel_value = decltype(kernel_result(std::declval<const Kernel&>(), std::make_index_sequence<Arrays>()));

template <class Result, std::size_t Arrays>
inline constexpr bool is_result = false;
template <class Value, class... States, std::size_t Arrays>
inline constexpr bool is_result<next_t<Value, States...>, Arrays> = sizeof...(States) == Arrays;
template <class Value, class... States, std::size_t Arrays>
inline constexpr bool is_result<write_t<Value, States...>, Arrays> = sizeof...(States) == Arrays;

template <class Kernel, std::size_t Arrays>
concept kernel_of = requires { typename kernel_value<Kernel, Arrays>; } && is_result<kernel_value<Kernel, Arrays>, Arrays>;

template <class Transform>
concept has_scratch = requires(const Transform& t, const parameter_info& p) {
  { t.scratch(p) } -> std::convertible_to<std::size_t>;
};

/// transform.apply(context, update[, scratch], states…)
template <class T, std::size_t... I, class Transform, class State>
constexpr auto call_apply(std::index_sequence<I...>, const Transform& t, const context& c, tensor<T> update,
                          [[maybe_unused]] std::span<T> scratch, [[maybe_unused]] State state)
    noexcept(noexcept(t.apply(c, update, tensor<T>(state(I))...)))
  requires(!has_scratch<Transform>) && requires { t.apply(c, update, tensor<T>(state(I))...); }
{
  t.apply(c, update, tensor<T>(state(I))...);
}
template <class T, std::size_t... I, class Transform, class State>
constexpr auto call_apply(std::index_sequence<I...>, const Transform& t, const context& c, tensor<T> update,
                          std::span<T> scratch, [[maybe_unused]] State state)
    noexcept(noexcept(t.apply(c, update, scratch, tensor<T>(state(I))...)))
  requires has_scratch<Transform> && requires { t.apply(c, update, scratch, tensor<T>(state(I))...); }
{
  t.apply(c, update, scratch, tensor<T>(state(I))...);
}

template <class T>
struct some_state {
  tensor<T> operator()(std::size_t) const noexcept;
};
template <class Transform>
using array_indices = std::make_index_sequence<states_of<Transform>::arrays>;
}  // namespace detail

template <class Transform>
concept contextual = detail::has_at<Transform> && std::is_same_v<detail::at_value<Transform>, context>;

template <class Transform>
concept modelwise = requires(const Transform& t, const context& c) {
  { t.reduce(c)(std::declval<element<number<double>>>()) } -> std::convertible_to<number<double>>;
  { t.at(c, double()) } noexcept;
  requires detail::kernel_of<decltype(t.at(c, double())), states_of<Transform>::arrays>;
};

template <class Transform>
concept elementwise = !modelwise<Transform> && !contextual<Transform> && detail::has_at<Transform> &&
                      detail::kernel_of<detail::at_value<Transform>, states_of<Transform>::arrays>;

template <class Transform, class T>
concept tensorwise_of =
    requires(const Transform& t, const context& c, tensor<T> u, std::span<T> scratch, detail::some_state<T> state) {
      detail::call_apply(detail::array_indices<Transform>(), t, c, u, scratch, state);
    };

template <class Transform>
concept tensorwise_transform = tensorwise_of<Transform, float> || tensorwise_of<Transform, double>;

template <class Transform>
concept transform = contextual<Transform> || elementwise<Transform> || tensorwise_transform<Transform> ||
                    modelwise<Transform>;

namespace detail {
template <class Transform>
constexpr bool writes() {
  if constexpr (elementwise<Transform>)
    return is_write<kernel_value<at_value<Transform>, states_of<Transform>::arrays>>;
  else return false;
}
}  // namespace detail

/// Ends a chain: its kernel returns `write(parameter, states…)`.
template <class Transform>
concept terminal = detail::writes<Transform>();

/// A terminal that keeps an average x: `average(scalars…)` returns the kernel that recovers x from the states.
template <class Transform>
concept averaging = terminal<Transform> && requires { &Transform::average; };

/// Hands something to a transform downstream (`using feeds = interpolation_beta;`), which names it as well
/// (`using reads = interpolation_beta;`).
struct interpolation_beta {};

/// The compile-time door of every chain: says which type is no transform, and what it lacks.
template <class T>
struct checked_transform {
  static constexpr bool value = transform<T>;
  static constexpr bool names_at = value || requires { &T::at; };
  static constexpr bool names_apply = value || requires(const T& t, const context& c, tensor<float> u) { t.apply(c, u); } ||
                                      requires { &T::apply; } || requires { &T::template apply<float>; };

  static_assert(names_at || names_apply,
                "thalweg: this type is not a transform: it lacks `at(const context&)` (contextual, element-wise), "
                "`apply(const context&, tensor<T>, ...)` (tensor-wise) or `reduce(const context&)` (model-wise)");
  static_assert(value || !names_at || names_apply,
                "thalweg: this type is not a transform: its `at(const context&, scalars...)` must return a context, or a "
                "kernel that takes element<T> and one T for each array in `states` and returns next(...) or write(...) "
                "with as many; a model-wise `at(const context&, double sum)` must also be noexcept");
  static_assert(value || !names_apply,
                "thalweg: this type is not a transform: its `apply` must take (const context&, tensor<T> update), then "
                "std::span<T> if it has `scratch(const parameter_info&)`, then a tensor<T> for each array in `states`");
  static_assert(!contextual<T> || states_of<T>::arrays == 0,
                "thalweg: a contextual transform sees no arrays; its states must be scalar<...>");
  static_assert(elementwise<T> || contextual<T> || states_of<T>::scalars == 0,
                "thalweg: tensor-wise and model-wise transforms are handed no scalars; their states must be arrays");
};

}  // namespace thalweg
