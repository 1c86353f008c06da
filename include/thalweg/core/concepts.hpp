// The four kinds of transform, told apart by what their members return. Nothing is declared twice and nothing is
// inherited: a transform is an aggregate with
//
//   contextual     constexpr context at(context, scalars…) const      pure: it is asked more than once a step
//   element-wise   constexpr auto at(const context&, scalars…) const -> kernel(element<T>, T states…)
//   tensor-wise    void apply(const context&, tensor<T> update, tensor<T> states…) const
//                  or whole<T> in the place of the tensor, to see the gradient and the parameter as well;
//                  with std::size_t scratch(parameter_info) const: apply(context, update, std::span<T> scratch, states…)
//   model-wise     constexpr auto reduce(const context&) const -> kernel(element<T>) -> T or sums(T…), summed over all
//                  parameters;
//                  constexpr auto at(const context&, double sums…) const noexcept -> kernel, as element-wise
//   parameter-wise the same with `using over = each_parameter;`: summed over each parameter on its own
//
// and, where it has any,
//
//   using states = state<…>              what it remembers
//   static constexpr auto fields         its hyper-parameters' names and ranges
//   void check(parameter_info) const     refuses a parameter, at binding
//   void check(const context&) const     of a tensor-wise transform: refuses a step, before it
//   context pass_on(context) const       what is downstream of an element-wise transform (decay_weights spends λ)
//   auto average(scalars…) const         of a terminal that averages: the kernel that recovers x
//   using feeds = …, using reads = …     what it sets for a transform downstream, or reads from one upstream; or
//   using reads = loss_of_step           every step must be given the loss
//   bool proceeds(double sum) const      of a model-wise transform at the head: whether the step is taken at all
//   bool opens(long call) const, auto absorb(long call) const
//                                        of an element-wise transform at the head: whether this call of `step` goes on
//                                        to what is downstream, and the kernel for those that do not. What it passes on
//                                        it keeps in its first state: for all behind it, that is the gradient
//   std::string computed_by() const      what stands behind it, for describe()
//   std::string_view name                where it is not the type's
//   std::string text() const             where it is written otherwise than name(field=value, …)
//   using leaves_type = std::tuple<…>    of a combinator: the transforms in it
#pragma once

#include <array>
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

// a T for each index of a pack
template <class T, std::size_t>
T repeated() noexcept;
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

// transform.apply(context, given[, scratch], states…), where `given` is the update or all that is known of it
template <class T, std::size_t... I, class Transform, class Given, class State>
constexpr auto apply_to(std::index_sequence<I...>, const Transform& t, const context& c, Given given,
                        [[maybe_unused]] std::span<T> scratch, [[maybe_unused]] State state)
    noexcept(noexcept(t.apply(c, given, tensor<T>(state(I))...)))
  requires(!has_scratch<Transform>) && requires { t.apply(c, given, tensor<T>(state(I))...); }
{
  t.apply(c, given, tensor<T>(state(I))...);
}
template <class T, std::size_t... I, class Transform, class Given, class State>
constexpr auto apply_to(std::index_sequence<I...>, const Transform& t, const context& c, Given given,
                        std::span<T> scratch, [[maybe_unused]] State state)
    noexcept(noexcept(t.apply(c, given, scratch, tensor<T>(state(I))...)))
  requires has_scratch<Transform> && requires { t.apply(c, given, scratch, tensor<T>(state(I))...); }
{
  t.apply(c, given, scratch, tensor<T>(state(I))...);
}

template <class T, class Indices, class Transform, class State>
constexpr auto call_apply(Indices i, const Transform& t, const context& c, whole<T> w, std::span<T> scratch,
                          State state)
    noexcept(noexcept(apply_to(i, t, c, w.update, scratch, state)))
  requires requires { apply_to(i, t, c, w.update, scratch, state); }
{
  apply_to(i, t, c, w.update, scratch, state);
}
template <class T, class Indices, class Transform, class State>
constexpr auto call_apply(Indices i, const Transform& t, const context& c, whole<T> w, std::span<T> scratch,
                          State state)
    noexcept(noexcept(apply_to(i, t, c, w, scratch, state)))
  requires(!requires { apply_to(i, t, c, w.update, scratch, state); }) &&
          requires { apply_to(i, t, c, w, scratch, state); }
{
  apply_to(i, t, c, w, scratch, state);
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

/// `using over = each_parameter;`: sums over each parameter, not over the model.
struct each_parameter {};

namespace detail {
// A reduction's kernel returns one T, or several.
template <class Reduced>
inline constexpr std::size_t sum_count = std::is_convertible_v<Reduced, number<double>> ? 1 : 0;
template <std::size_t N>
inline constexpr std::size_t sum_count<std::array<number<double>, N>> = N;

template <class Transform>
inline constexpr std::size_t sums_of = sum_count<std::remove_cvref_t<decltype(std::declval<const Transform&>().reduce(
    std::declval<const context&>())(std::declval<element<number<double>>>()))>>;

template <class Transform, std::size_t... I>
constexpr auto at_sums(std::index_sequence<I...>, const Transform& t, const context& c,
                       const std::array<double, sizeof...(I)>& sums) noexcept(noexcept(t.at(c, sums[I]...)))
    -> decltype(t.at(c, sums[I]...)) {
  return t.at(c, sums[I]...);
}

template <class Transform>
using sums_kernel = decltype(at_sums(std::make_index_sequence<sums_of<Transform>>(), std::declval<const Transform&>(),
                                     std::declval<const context&>(), {}));

template <class Transform>
concept reducing = requires(const Transform& t, const context& c) {
  t.reduce(c)(std::declval<element<number<double>>>());
  t.reduce(c)(std::declval<element<lanes<double>>>());
} && sums_of<Transform> > 0 &&
requires(const Transform& t, const context& c, std::array<double, sums_of<Transform>> sums) {
  { at_sums(std::make_index_sequence<sums_of<Transform>>(), t, c, sums) } noexcept;
  requires kernel_of<decltype(at_sums(std::make_index_sequence<sums_of<Transform>>(), t, c, sums)),
                     states_of<Transform>::arrays>;
};
template <class Transform>
concept sums_each_parameter = std::is_same_v<typename Transform::over, each_parameter>;
}  // namespace detail

template <class Transform>
concept modelwise = detail::reducing<Transform> && !detail::sums_each_parameter<Transform>;

template <class Transform>
concept parameterwise = detail::reducing<Transform> && detail::sums_each_parameter<Transform>;

template <class Transform>
concept elementwise = !detail::reducing<Transform> && !contextual<Transform> && detail::has_at<Transform> &&
                      detail::kernel_of<detail::at_value<Transform>, states_of<Transform>::arrays>;

template <class Transform, class T>
concept tensorwise_of =
    requires(const Transform& t, const context& c, whole<T> w, std::span<T> scratch, detail::some_state<T> state) {
      detail::call_apply(detail::array_indices<Transform>(), t, c, w, scratch, state);
    };

/// Is made of other transforms and says itself what it becomes: `lowered<T, Passes>(set)`.
template <class Transform>
concept combinator = requires { requires Transform::is_combinator; };

template <class Transform>
concept tensorwise_transform = tensorwise_of<Transform, float> || tensorwise_of<Transform, double> || combinator<Transform>;

template <class Transform>
concept transform = contextual<Transform> || elementwise<Transform> || tensorwise_transform<Transform> ||
                    detail::reducing<Transform>;

namespace detail {
template <class Transform>
constexpr bool writes() {
  if constexpr (elementwise<Transform>)
    return is_write<kernel_value<at_value<Transform>, states_of<Transform>::arrays>>;
  else if constexpr (reducing<Transform>)
    return is_write<kernel_value<sums_kernel<Transform>, states_of<Transform>::arrays>>;
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

/// What the user gives with a step: `step(gradients, {.loss = loss})`.
struct loss_of_step {};

namespace detail {
template <class Transform>
constexpr bool reads_the_loss();
template <class... Transforms>
constexpr bool one_reads_the_loss(std::tuple<Transforms...>*) { return (reads_the_loss<Transforms>() || ...); }
template <class Transform>
constexpr bool reads_the_loss() {
  bool reads = false;
  if constexpr (requires { typename Transform::reads; }) reads = std::is_same_v<typename Transform::reads, loss_of_step>;
  if constexpr (requires { typename Transform::leaves_type; })  // what a combinator holds, it declares
    reads = reads || one_reads_the_loss(static_cast<typename Transform::leaves_type*>(nullptr));
  return reads;
}
template <class Transform>
inline constexpr bool reads_loss = reads_the_loss<Transform>();
}  // namespace detail

/// May stop a step before anything is written: `when_finite`.
template <class Transform>
concept stopping = modelwise<Transform> && requires(const Transform& t) {
  { t.proceeds(0.0) } -> std::same_as<bool>;
};

/// Lets some calls of `step` pass and swallows the others: `accumulate`.
template <class Transform>
concept gate = elementwise<Transform> && requires(const Transform& t) {
  { t.opens(1L) } -> std::same_as<bool>;
  requires detail::kernel_of<decltype(t.absorb(1L)), states_of<Transform>::arrays>;
};

/// The compile-time door of every chain: says which type is no transform, and what it lacks.
template <class T>
struct checked_transform {
  static constexpr bool value = transform<T>;
  static constexpr bool names_at = value || requires { &T::at; };
  static constexpr bool names_apply = value || requires(const T& t, const context& c, tensor<float> u) { t.apply(c, u); } ||
                                      requires(const T& t, const context& c, whole<float> w) { t.apply(c, w); } ||
                                      requires { &T::apply; } || requires { &T::template apply<float>; };

  static_assert(names_at || names_apply,
                "thalweg: this type is not a transform: it lacks `at(const context&)` (contextual, element-wise), "
                "`apply(const context&, tensor<T>, ...)` (tensor-wise) or `reduce(const context&)` (model-wise)");
  static_assert(value || !names_at || names_apply,
                "thalweg: this type is not a transform: its `at(const context&, scalars...)` must return a context, or a "
                "kernel that takes element<T> and one T for each array in `states` and returns next(...) or write(...) "
                "with as many; a model-wise `at(const context&, double sum)` must also be noexcept, and the kernel of its "
                "`reduce` take element<T> for every T");
  static_assert(value || !names_apply,
                "thalweg: this type is not a transform: its `apply` must take (const context&, tensor<T> update), then "
                "std::span<T> if it has `scratch(const parameter_info&)`, then a tensor<T> for each array in `states`; "
                "whole<T> in the update's place shows the gradient and the parameter as well");
  static_assert(!contextual<T> || states_of<T>::arrays == 0,
                "thalweg: a contextual transform sees no arrays; its states must be scalar<...>");
  static_assert(elementwise<T> || contextual<T> || states_of<T>::scalars == 0,
                "thalweg: tensor-wise and model-wise transforms are handed no scalars; their states must be arrays");
  static_assert(tensorwise_transform<T> || states_of<T>::of_its_shape,
                "thalweg: a kernel sees one number of each state: rows<...> and columns<...> are for tensor-wise ones");
};

}  // namespace thalweg
