#include "bytes.hpp"

#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <span>

#include <fmt/core.h>

#include "../error.hpp"

namespace race {
namespace {

constexpr std::size_t block = 1 << 16, judged_training = 64, judged_held_out = 128, in_a_block = 32;

// Each begins where `starts` says.
tensors at(std::span<const std::uint8_t> text, std::span<const std::size_t> starts, std::size_t window) {
  const auto count = static_cast<std::int64_t>(starts.size()), length = static_cast<std::int64_t>(window);
  const auto both = ::torch::empty({count, length + 1}, ::torch::kLong);
  auto* to = both.data_ptr<std::int64_t>();
  for (const std::size_t start : starts)
    for (std::size_t i = 0; i <= window; ++i) *to++ = text[start + i];
  return {both.slice(1, 0, length).contiguous(), both.slice(1, 1).reshape({-1})};
}

// Windows evenly over the text.
std::vector<tensors> evenly(std::span<const std::uint8_t> text, std::size_t count, std::size_t window) {
  std::vector<tensors> all;
  const std::size_t apart = (text.size() - window - 1) / count;
  for (std::size_t i = 0; i < count; i += in_a_block) {
    std::vector<std::size_t> starts;
    for (std::size_t j = i; j < i + in_a_block; ++j) starts.push_back(j * apart);
    all.push_back(at(text, starts, window));
  }
  return all;
}

}  // namespace

split_text split(const std::string& text, std::size_t window) {
  split_text parts;
  for (std::size_t i = 0; i < text.size(); i += block) {
    const std::size_t turn = i / block % 10;
    auto& part = turn == 8 ? parts.tuning : turn == 9 ? parts.validation : parts.training;
    part.insert(part.end(), text.begin() + static_cast<std::ptrdiff_t>(i),
                text.begin() + static_cast<std::ptrdiff_t>(std::min(i + block, text.size())));
  }
  if (parts.validation.size() <= window + 1)
    throw error(fmt::format("a text of more than {} bytes, to be split into blocks of {}", 9 * block + window + 1, block),
                fmt::format("{} bytes", text.size()));
  return parts;
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw error(fmt::format("a readable file {}", path.string()), "none");
  return {std::istreambuf_iterator<char>(file), {}};
}

torch_data windows(const split_text& text, std::size_t window, const task_settings& settings) {
  const auto training = std::make_shared<const std::vector<std::uint8_t>>(text.training);
  auto judged = evenly(text.training, judged_training, window);
  const auto fixed = judged.front();
  return {.batches = [=, size = settings.batch](unsigned seed) -> std::function<tensors()> {
            return [=, random = std::mt19937(seed), starts = std::vector<std::size_t>(size)]() mutable {
              for (auto& start : starts) start = random() % (training->size() - window);
              return at(*training, starts, window);
            };
          },
          .fixed = fixed,
          .training = std::move(judged),
          .held_out = evenly(settings.tuning ? text.tuning : text.validation, judged_held_out, window)};
}

}  // namespace race
