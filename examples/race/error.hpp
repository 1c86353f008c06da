#pragma once

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include <thalweg/core/error.hpp>

namespace race {

// "[race] Expected …. Received …."
struct error : std::runtime_error {
  error(const std::string& expected, const std::string& received, const std::string& where = "race")
      : std::runtime_error("[" + where + "] Expected " + expected + ". Received " + received + ".") {}
};

// Runs a program and prints its error. Returns 2 for an error that the user can correct.
template <class Program>
int exit_status(Program program) {
  try {
    program();
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    const bool is_input = dynamic_cast<const error*>(&failure) || dynamic_cast<const thalweg::error*>(&failure);
    return is_input ? 2 : 1;
  }
}

}  // namespace race
