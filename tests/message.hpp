// What a call is refused with.
#pragma once

#include <exception>
#include <string>

namespace test {

std::string message(const auto& call) {
  try {
    call();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace test
