// What a step is given, and what became of it.
#pragma once

#include <optional>
#include <ranges>
#include <string_view>
#include <type_traits>

#include <thalweg/core/error.hpp>

namespace thalweg {

/// What a step may be given besides the gradients.
struct step_inputs {
  std::optional<double> loss{};  ///< for the transforms that read it
};

/// What became of a step.
struct step_report {
  bool taken = true;             ///< the parameters have moved; not so while `accumulate` gathers
  /// For whose sake `when_finite` skipped the step. Empty if it did not, or for the sake of the loss.
  std::string_view parameter{};
};

namespace detail {

/// The losses since the last step that was taken.
struct gathered_losses {
  double sum = 0;
  long count = 0;

  /// What the step is given, with the mean of them all and its own in the place of the loss.
  [[nodiscard]] step_inputs take(const step_inputs& given) {
    if (!given.loss) return {};
    sum += *given.loss;
    ++count;
    return {.loss = sum / static_cast<double>(count)};
  }
};

inline bool has_finite_loss(const step_inputs& given) { return !given.loss || *given.loss - *given.loss == 0; }

/// Refuses a step for a transform that reads the loss, where it is none.
inline void check_loss(std::string_view reader, const step_inputs& given) {
  if (!given.loss)
    throw error(reader, "Expected the step's loss: step(gradients, {.loss = ...}). Received none.");
  if (!has_finite_loss(given))
    throw error(reader, "Expected a finite loss. Received ", *given.loss,
                ". A chain that begins with when_finite skips such steps.");
}

/// Refuses a range whose gradients would be gone before the step reads them.
template <std::ranges::input_range Gradients>
constexpr void check_read_in_place() {
  static_assert(std::is_reference_v<std::ranges::range_reference_t<const Gradients&>> ||
                    std::ranges::borrowed_range<std::ranges::range_value_t<const Gradients&>>,
                "thalweg: step(gradients) reads the gradients in place; this range makes them as it goes");
}

}  // namespace detail
}  // namespace thalweg
