#pragma once
// The race in a picture.

#include <filesystem>
#include <span>
#include <string>

#include "results.hpp"

namespace race {

struct caption {
  std::string title;
  std::string below;
  std::string unit{};  // of the loss
};

// Validation loss and accuracy against steps. False where gnuplot is missing or fails.
bool draw(const std::filesystem::path& path, std::span<const result> results, const caption& caption);

}  // namespace race
