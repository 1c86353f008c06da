// What a call is refused with.
#pragma once

#include <string>

#include <thalweg/core/error.hpp>

namespace test {

std::string message(const auto& call) {
  try {
    call();
  } catch (const thalweg::error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace test
