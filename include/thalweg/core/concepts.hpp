// The kinds of transform. The members of a transform determine its kind. A transform has no base class. It is an
// aggregate with
//
//   contextual     constexpr context at(context, scalars…) const      pure: it is called several times per step
//   element-wise   constexpr auto at(const context&, scalars…) const -> kernel(element<T>, T states…)
//   tensor-wise    void apply(const context&, tensor<T> update, tensor<T> states…) const
//                  or whole<T> instead of the tensor, to see the gradient and the parameter as well;
//                  with std::size_t scratch(parameter_info) const: apply(context, update, std::span<T> scratch, states…)
//   model-wise     constexpr auto reduce(const context&, scalars…) const -> kernel(element<T>[, T states…]) -> T or
//                  sums(T…), summed over all parameters, with the states as they are before the step;
//                  constexpr auto at(const context&, double sums…, scalars…) const noexcept -> kernel, as element-wise, with
//                  the new scalars if there are any. These are of the model: not one a route, as an element-wise one's
//   parameter-wise the same with `using over = each_parameter;`: summed over each parameter on its own; no scalars
//
// and, if it has any,
//
//   using states = state<…>              its state
//   static constexpr auto fields         its hyper-parameters' names and ranges; one without a default is a required<T>
//   static constexpr const char* elsewhere[]
//                                        its names in other libraries: for such a name `parse` suggests this transform
//   void check(parameter_info) const     refuses a parameter, at binding
//   void check(const context&) const     of a tensor-wise transform: refuses a step, before it
//   context pass_on(context) const       of a transform with a kernel: the context downstream
//   auto average(scalars…) const         of an end with an average: the kernel that recovers x
//   using feeds = …, using reads = …     the number that it passes downstream, or reads from upstream
//                                        (`c.say<…>(number)`, `c.heard<…>()`); or
//   using reads = loss_of_step           every step needs the loss
//   using reports = gradient_norm        of a model-wise transform: its sum is that of the updates' squares, and `step`
//                                        reports its root where the updates are still the gradients
//   bool proceeds(double sum) const      of a model-wise transform at the head: whether the step is taken at all; with a
//                                        field std::optional<long> limit: how many steps in a row may not be taken
//   bool opens(long call) const, auto absorb(long call) const
//                                        of an element-wise transform at the head: whether this call of `step` goes on
//                                        downstream, and the kernel for the calls that do not. Its first state holds what
//                                        it passes on, which is the gradient for all transforms behind it
//   std::string computed_by() const      what computes it, for describe()
//   static constexpr std::string_view remark
//                                        advice before a long training, for describe()
//   std::string_view name                if it is not the name of the type
//   std::string text() const             if it is not name(field=value, …)
//   using leaves_type = std::tuple<…>    of a combinator: the transforms in it
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/calling.hpp>
#include <thalweg/core/text.hpp>

namespace thalweg {

template <class Transform>
concept contextual = detail::has_at<Transform> && std::is_same_v<detail::at_value<Transform>, context>;

/// `using over = each_parameter;`: the sums are over each parameter, not over the model.
struct each_parameter {};

namespace detail {
template <class Transform>
concept reducing = requires {
  typename reduced_of<Transform, number<double>>;
  typename reduced_of<Transform, number<any_register>>;
} && sums_of<Transform> > 0 &&
requires(const Transform& t, const context& c, const double* numbers) {
  { at_sums(t, c, numbers, numbers) } noexcept;
  requires kernel_of<sums_kernel<Transform>, states_of<Transform>::arrays>;
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

/// A transform made of other transforms. Its member `lowered<T, Passes>(set)` returns its part of the program.
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

/// An end with an average x: `average(scalars…)` returns the kernel that recovers x from the states.
template <class Transform>
concept averaging = terminal<Transform> && requires { &Transform::average; };

/// A number that a transform passes downstream (`using feeds = interpolation_beta;`). The reader declares
/// `using reads = interpolation_beta;`.
struct interpolation_beta {};

/// The loss that the user passes to a step: `step(gradients, {.loss = loss})`.
struct loss_of_step {};

/// What `step` reports.
struct gradient_norm {};

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

template <class Transform>
constexpr bool reports_the_norm() {
  if constexpr (requires { typename Transform::reports; })
    return modelwise<Transform> && std::is_same_v<typename Transform::reports, gradient_norm>;
  else return false;
}
}  // namespace detail

/// May stop a step before anything is written: `when_finite`.
template <class Transform>
concept stopping = modelwise<Transform> && requires(const Transform& t) {
  { t.proceeds(0.0) } -> std::same_as<bool>;
};

/// Collects the gradients of some calls of `step`, and lets the others through: `accumulate`.
template <class Transform>
concept gate = elementwise<Transform> && requires(const Transform& t) {
  { t.opens(1L) } -> std::same_as<bool>;
  requires detail::kernel_of<decltype(t.absorb(1L)), states_of<Transform>::arrays>;
};

}  // namespace thalweg
