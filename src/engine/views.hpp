// Divides a parameter into parts, as its view says. Each part is then a parameter.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <thalweg/core/parameter.hpp>

namespace thalweg::detail {

/// A part: `lines` pieces of `length` elements, which begin `stride` elements apart. One piece where it lies together.
struct parameter_part {
  parameter_info info;
  std::size_t offset = 0;  ///< of its first element in the whole
  std::size_t lines = 1, length = 0, stride = 0;

  [[nodiscard]] std::size_t end() const { return offset + (lines - 1) * stride + length; }
};

/// Throws where the view does not fit. A parameter without elements has no parts.
std::vector<parameter_part> parts_of(const parameter_info& whole, const std::vector<view::part>& view);

/// The elements from the first of the whole to the last.
inline std::size_t extent_of(const std::vector<parameter_part>& parts) {
  std::size_t extent = 0;
  for (const parameter_part& p : parts) extent = std::max(extent, p.end());
  return extent;
}

}  // namespace thalweg::detail
