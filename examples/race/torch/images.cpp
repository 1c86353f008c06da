#include "images.hpp"

#include <algorithm>
#include <memory>
#include <numeric>

#include <fmt/core.h>

#include "../data.hpp"

namespace race {
namespace {

constexpr std::size_t judged_training = 200, judged_held_out = 1000, of_statistics = 500, in_a_block = 100;

tensors as_tensors(const batch& b) {
  const auto count = static_cast<std::int64_t>(b.labels.size());
  const auto side = std::lround(std::sqrt(static_cast<double>(b.images.cols())));
  const auto* labels = b.labels.data();
  return {::torch::from_blob(const_cast<float*>(b.images.data()), {count, 1, side, side}).clone(),
          ::torch::from_blob(const_cast<std::uint8_t*>(labels), {count}, ::torch::kByte).to(::torch::kLong)};
}

std::vector<tensors> blocks(const data_set& data, const images& set, std::size_t count, std::size_t block = in_a_block) {
  std::vector<tensors> all;
  batch b;
  for (std::size_t i = 0; i < std::min(count, set.size()); i += block) {
    std::vector<std::uint32_t> indices(std::min(block, set.size() - i));
    std::iota(indices.begin(), indices.end(), static_cast<std::uint32_t>(i));
    gather(data, set, indices, b);
    all.push_back(as_tensors(b));
  }
  return all;
}

}  // namespace

images_as_tensors fashion_mnist_as_tensors(const task_settings& settings) {
  const auto data = std::make_shared<const data_set>(fashion_mnist(settings.folder));
  auto training = blocks(*data, data->training, judged_training);
  auto held_out = blocks(*data, settings.tuning ? data->tuning : data->validation, judged_held_out);
  const auto fixed = blocks(*data, data->training, judged_training, judged_training).front();
  return {.about = {.data = data->name,
                    .model = {},
                    .batches = fmt::format("{} images", settings.batch),
                    .split = fmt::format("{} Of these the first {} are judged.", split_in_words(*data, settings.tuning),
                                         judged_held_out)},
          .data = {.batches = [data, size = settings.batch](unsigned seed) -> std::function<tensors()> {
                     const auto dealt = std::make_shared<batches>(*data, size, seed);
                     return [data, dealt] { return as_tensors(dealt->next()); };
                   },
                   .fixed = fixed,
                   .training = std::move(training),
                   .held_out = std::move(held_out),
                   .statistics = blocks(*data, data->training, of_statistics)}};
}

}  // namespace race
