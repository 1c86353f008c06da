#pragma once

#include <stdexcept>
#include <string>

namespace valley {

// "[valley] Expected …. Received …."
struct error : std::runtime_error {
  error(const std::string& expected, const std::string& received)
      : std::runtime_error("[valley] Expected " + expected + ". Received " + received + ".") {}
};

}  // namespace valley
