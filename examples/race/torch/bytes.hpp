#pragma once
// A text as bytes, each to be foretold from those before it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "learner.hpp"

namespace race {

struct split_text {
  std::vector<std::uint8_t> training, tuning, validation;
};

// Block by block of 64 KiB: of ten blocks eight train, the ninth chooses settings and the tenth judges. Throws `error`
// where a part would have no more than `window` bytes.
split_text split(const std::string& text, std::size_t window);

std::string read_text(const std::filesystem::path& path);

// Windows of so many bytes, a label for each byte: the next one.
torch_data windows(const split_text& text, std::size_t window, const task_settings& settings);

}  // namespace race
