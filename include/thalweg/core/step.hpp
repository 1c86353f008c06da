// The arguments and the report of a step.
#pragma once

#include <cstddef>
#include <optional>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <thalweg/core/error.hpp>
#include <thalweg/core/stored.hpp>

namespace thalweg {

/// A gradient in the user's memory. An empty one means no gradient.
///
///     opt.step(std::vector<gradient_view>{std::span(of_weights), std::span(of_bias)});
struct gradient_view {
  const void* data = nullptr;
  std::size_t size = 0;
  number_type type{};

  gradient_view() = default;
  gradient_view(std::nullopt_t) {}
  template <class T>
  gradient_view(std::span<T> values) : data(values.data()), size(values.size()), type(detail::type_of<std::remove_const_t<T>>) {}
  gradient_view(const void* numbers, std::size_t count, number_type of) : data(numbers), size(count), type(of) {}
};

/// What a step measures.
enum class measure {
  nothing,
  norms  ///< the norms of each parameter: see `step_report::parameters`
};

/// The arguments of a step besides the gradients.
struct step_inputs {
  std::optional<double> loss{};  ///< for the transforms that read it
  thalweg::measure measure = thalweg::measure::nothing;
};

/// How a step changed one parameter.
struct parameter_report {
  std::string_view name{};
  double gradient_norm = 0;   ///< after `accumulate` the norm of the mean
  double update_norm = 0;     ///< of the change, the parameter after the step minus the parameter before it
  double parameter_norm = 0;  ///< after the step
  double largest_gradient = 0;              ///< the largest magnitude of an element
  double lr = 0;                            ///< with the parameter's `lr_factor`
  std::optional<double> beta{};             ///< β_t, if the chain sets Schedule-Free's β
  std::optional<double> average_weight{};   ///< c_t, if the chain keeps an average

  [[nodiscard]] double ratio() const { return parameter_norm != 0 ? update_norm / parameter_norm : 0; }
};

/// The report of a step.
struct step_report {
  bool taken = true;             ///< whether the parameters changed; false while `accumulate` collects
  /// The parameter whose gradient made `when_finite` skip the step. Empty if it did not skip, or skipped because of the
  /// loss.
  std::string_view parameter{};
  /// The learning rate of the step, after the warm-up and the chain's schedules, and before a parameter's `lr_factor`.
  /// It is the largest of all routes. 0 if the step was not taken.
  double lr = 0;
  /// The norm of all gradients together, if the step was taken and the chain measures it: `clip_by_global_norm` (before
  /// it clips) and `report_gradient_norm` do, at the head of the chain. On a GPU the norm stays there.
  std::optional<double> gradient_norm{};
  /// The number of parameters without a gradient, which did not change.
  std::size_t without_gradient = 0;
  /// One for each parameter that changed, if the step measured norms. Valid until the next step.
  std::span<const parameter_report> parameters{};
};

/// A step as one line of JSON, and as rows of CSV, one per parameter. `step`: `opt.steps()`.
///
///     const auto report = opt.step(gradients, {.measure = measure::norms});
///     log << to_json(opt.steps(), report) << '\n';
std::string to_json(long step, const step_report& report);
std::string to_csv(long step, const step_report& report);
/// The names of its columns.
std::string csv_header();

namespace detail {

/// The losses since the last step that was taken.
struct gathered_losses {
  double sum = 0;
  long count = 0;

  [[nodiscard]] step_inputs mean() const {
    if (!count) return {};
    return {.loss = sum / static_cast<double>(count)};
  }
  /// What the step is given. Its loss is replaced by the mean of these losses and its own.
  [[nodiscard]] step_inputs take(const step_inputs& given) {
    if (!given.loss) return {};
    sum += *given.loss;
    ++count;
    return mean();
  }
};

inline bool has_finite_loss(const step_inputs& given) { return !given.loss || *given.loss - *given.loss == 0; }

/// Refuses a step without a loss for a transform that reads it.
inline void check_loss(std::string_view reader, const step_inputs& given) {
  if (!given.loss)
    throw error(reader, "Expected a loss with the gradients. Received none.");
  if (!has_finite_loss(given))
    throw error(reader, "Expected a finite loss. Received ", *given.loss,
                ". A chain that begins with when_finite skips such steps.");
}

/// The elements of a gradient; none where it is `nullopt`.
template <class T, class Gradient>
gradient_view elements_of(const Gradient& g) {
  if constexpr (std::is_same_v<Gradient, gradient_view>) return g;
  else if constexpr (requires { g.has_value(); }) return g ? elements_of<T>(*g) : gradient_view();
  else if constexpr (std::is_constructible_v<std::span<const bfloat16>, const Gradient&>) return std::span<const bfloat16>(g);
  else if constexpr (std::is_constructible_v<std::span<const float16>, const Gradient&>) return std::span<const float16>(g);
  else return std::span<const T>(g);
}

template <class>
inline constexpr bool is_span = false;
template <class T, std::size_t N>
inline constexpr bool is_span<std::span<T, N>> = true;
template <class>
inline constexpr bool is_optional_span = false;
template <class Span>
inline constexpr bool is_optional_span<std::optional<Span>> = is_span<Span>;
template <>
inline constexpr bool is_span<gradient_view> = true;

/// Refuses a range whose gradients would be destroyed before the step reads them.
template <class Gradients>
constexpr void check_read_in_place() {
  using one = decltype(*std::begin(std::declval<const Gradients&>()));
  static_assert(std::is_reference_v<one> || is_span<std::remove_cv_t<one>> || is_optional_span<std::remove_cv_t<one>>,
                "thalweg: step(gradients) reads the gradients in place; this range computes them on access; "
                "store them in a vector first");
}

}  // namespace detail
}  // namespace thalweg
