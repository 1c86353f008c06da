// How a transform's members are called, and what they return. The kind of a transform follows from this.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include <thalweg/core/context.hpp>
#include <thalweg/core/element.hpp>
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

/// A register type that no kernel names. A kernel that accepts it accepts all registers. Its functions are declared,
/// but never called.
struct any_register {
  using value_type = double;
  struct mask {
    friend mask operator&(mask, mask);
    friend mask operator|(mask, mask);
    friend mask operator&&(mask, mask);
    friend mask operator||(mask, mask);
    friend mask operator!(mask);
  };
  any_register() = default;
  any_register(double);
  friend any_register operator+(any_register, any_register);
  friend any_register operator-(any_register, any_register);
  friend any_register operator*(any_register, any_register);
  friend any_register operator/(any_register, any_register);
  friend any_register operator-(any_register);
  friend mask operator<(any_register, any_register);
  friend mask operator>(any_register, any_register);
  friend mask operator<=(any_register, any_register);
  friend mask operator>=(any_register, any_register);
  friend mask operator==(any_register, any_register);
  friend mask operator!=(any_register, any_register);
  friend any_register select(mask, any_register, any_register);
  friend any_register abs(any_register);
  friend any_register square_root(any_register);
  friend any_register min(any_register, any_register);
  friend any_register max(any_register, any_register);
};

// A reduction's kernel returns one T, or several.
template <class Reduced>
inline constexpr std::size_t sum_count = std::is_convertible_v<Reduced, number<double>> ? 1 : 0;
template <std::size_t N>
inline constexpr std::size_t sum_count<std::array<number<double>, N>> = N;

// `reduce(context, scalars…)`, whose kernel sees an element, and its states if it takes them
template <class Transform, std::size_t... I>
constexpr auto reduce_by(std::index_sequence<I...>, const Transform& t, const context& c, [[maybe_unused]] const double* scalars)
    -> decltype(t.reduce(c, scalars[I]...)) {
  return t.reduce(c, scalars[I]...);
}
template <class Transform>
constexpr auto call_reduce(const Transform& t, const context& c, const double* scalars)
    -> decltype(reduce_by(std::make_index_sequence<states_of<Transform>::scalars>(), t, c, scalars)) {
  return reduce_by(std::make_index_sequence<states_of<Transform>::scalars>(), t, c, scalars);
}
template <class Transform>
using reduction_of = decltype(call_reduce(std::declval<const Transform&>(), std::declval<const context&>(), nullptr));

template <class Value, class Kernel, std::size_t... I>
auto reduced(const Kernel& k, std::index_sequence<I...>)
    -> decltype(k(std::declval<element<Value>>(), repeated<Value, I>()...));
template <class Transform>
constexpr std::size_t reduced_states() {
  const bool takes_them = requires(const reduction_of<Transform>& k) { reduced<number<double>>(k, array_indices<Transform>()); };
  return takes_them ? states_of<Transform>::arrays : 0;
}
template <class Transform>
using reduced_indices = std::make_index_sequence<reduced_states<Transform>()>;
/// What the reduction of a transform makes of an element of such values.
template <class Transform, class Value>
using reduced_of = decltype(reduced<Value>(std::declval<const reduction_of<Transform>&>(), reduced_indices<Transform>()));

template <class Transform>
inline constexpr std::size_t sums_of = sum_count<std::remove_cvref_t<reduced_of<Transform, number<double>>>>;

// `at(context, sums…, scalars…)`
template <class Transform, std::size_t... I, std::size_t... J>
constexpr auto at_by(std::index_sequence<I...>, std::index_sequence<J...>, const Transform& t, const context& c, const double* sums,
                     [[maybe_unused]] const double* scalars) noexcept(noexcept(t.at(c, sums[I]..., scalars[J]...)))
    -> decltype(t.at(c, sums[I]..., scalars[J]...)) {
  return t.at(c, sums[I]..., scalars[J]...);
}
template <class Transform>
constexpr auto at_sums(const Transform& t, const context& c, const double* sums, const double* scalars) noexcept(
    noexcept(at_by(std::make_index_sequence<sums_of<Transform>>(), std::make_index_sequence<states_of<Transform>::scalars>(), t, c,
                   sums, scalars)))
    -> decltype(at_by(std::make_index_sequence<sums_of<Transform>>(), std::make_index_sequence<states_of<Transform>::scalars>(), t,
                      c, sums, scalars)) {
  return at_by(std::make_index_sequence<sums_of<Transform>>(), std::make_index_sequence<states_of<Transform>::scalars>(), t, c,
               sums, scalars);
}

template <class Transform>
using sums_kernel = typename unwrapped<decltype(at_sums(std::declval<const Transform&>(), std::declval<const context&>(),
                                                        nullptr, nullptr))>::type;
}  // namespace detail

}  // namespace thalweg
