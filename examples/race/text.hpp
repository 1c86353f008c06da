#pragma once

#include <string>
#include <string_view>

#include <fmt/core.h>

namespace race {

// "64–64"
template <class Range>
std::string joined(const Range& parts, std::string_view separator) {
  std::string text;
  for (const auto& part : parts) text += fmt::format("{}{}", text.empty() ? "" : separator, part);
  return text;
}

}  // namespace race
