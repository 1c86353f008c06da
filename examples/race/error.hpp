#pragma once

#include <stdexcept>
#include <string>

namespace race {

// "[race] Expected …. Received …."
struct error : std::runtime_error {
  error(const std::string& expected, const std::string& received)
      : std::runtime_error("[race] Expected " + expected + ". Received " + received + ".") {}
};

}  // namespace race
