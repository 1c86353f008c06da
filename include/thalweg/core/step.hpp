// What a step is given, and what became of it.
#pragma once

#include <optional>
#include <ranges>
#include <string_view>
#include <type_traits>

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
};

/// Refuses a range whose gradients would be gone before the step reads them.
template <std::ranges::input_range Gradients>
constexpr void check_read_in_place() {
  static_assert(std::is_reference_v<std::ranges::range_reference_t<const Gradients&>> ||
                    std::ranges::borrowed_range<std::ranges::range_value_t<const Gradients&>>,
                "thalweg: step(gradients) reads the gradients in place; this range makes them as it goes");
}

}  // namespace detail
}  // namespace thalweg
