#pragma once

#include <string>

#include "../race/error.hpp"

namespace valley {

// "[valley] Expected …. Received …."
struct error : race::error {
  error(const std::string& expected, const std::string& received) : race::error(expected, received, "valley") {}
};

}  // namespace valley
