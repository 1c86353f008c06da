// What `step` takes: a range of gradients, one contiguous range of numbers a parameter.
#pragma once

#include <ranges>
#include <type_traits>

namespace thalweg::detail {

/// Refuses a range whose gradients would be gone before the step reads them.
template <std::ranges::input_range Gradients>
constexpr void check_read_in_place() {
  static_assert(std::is_reference_v<std::ranges::range_reference_t<const Gradients&>> ||
                    std::ranges::borrowed_range<std::ranges::range_value_t<const Gradients&>>,
                "thalweg: step(gradients) reads the gradients in place; this range makes them as it goes");
}

}  // namespace thalweg::detail
