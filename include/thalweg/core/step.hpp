// What a step is given, and what became of it.
#pragma once

#include <optional>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <thalweg/core/error.hpp>

namespace thalweg {

/// What a step may be given besides the gradients.
struct step_inputs {
  std::optional<double> loss{};  ///< for the transforms that read it
};

/// What became of a step.
struct step_report {
  bool taken = true;             ///< the parameters have moved; not so while `accumulate` gathers
  /// The parameter whose gradient made `when_finite` skip the step. Empty if it did not skip, or skipped because of the
  /// loss.
  std::string_view parameter{};
  /// The learning rate of the step, after the warm-up and the chain's schedules, and before a parameter's `lr_factor`.
  /// It is the largest of all routes. 0 if the step was not taken.
  double lr = 0;
  /// The norm of all gradients together, if the step was taken and the chain measures it: `clip_by_global_norm` (before
  /// it clips) and `report_gradient_norm` do, at the head of the chain. On a GPU the norm stays there.
  std::optional<double> gradient_norm{};
};

namespace detail {

/// The losses since the last step that was taken.
struct gathered_losses {
  double sum = 0;
  long count = 0;

  /// What the step is given. Its loss is replaced by the mean of these losses and its own.
  [[nodiscard]] step_inputs take(const step_inputs& given) {
    if (!given.loss) return {};
    sum += *given.loss;
    ++count;
    return {.loss = sum / static_cast<double>(count)};
  }
};

inline bool has_finite_loss(const step_inputs& given) { return !given.loss || *given.loss - *given.loss == 0; }

/// Refuses a step without a loss for a transform that reads it.
inline void check_loss(std::string_view reader, const step_inputs& given) {
  if (!given.loss)
    throw error(reader, "Expected the step's loss beside its gradients. Received none.");
  if (!has_finite_loss(given))
    throw error(reader, "Expected a finite loss. Received ", *given.loss,
                ". A chain that begins with when_finite skips such steps.");
}

template <class>
inline constexpr bool is_span = false;
template <class T, std::size_t N>
inline constexpr bool is_span<std::span<T, N>> = true;

/// Refuses a range whose gradients would be gone before the step reads them.
template <class Gradients>
constexpr void check_read_in_place() {
  using one = decltype(*std::begin(std::declval<const Gradients&>()));
  static_assert(std::is_reference_v<one> || is_span<std::remove_cv_t<one>>,
                "thalweg: step(gradients) reads the gradients in place; this range makes them as it goes");
}

}  // namespace detail
}  // namespace thalweg
