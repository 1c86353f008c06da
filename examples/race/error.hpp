#pragma once

#include <stdexcept>
#include <string>

namespace race {

// "[race] Expected …. Received …."
struct error : std::runtime_error {
  error(const std::string& expected, const std::string& received);
};

}  // namespace race
