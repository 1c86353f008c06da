#include "data.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <numeric>
#include <string_view>

#include <fmt/core.h>

namespace race {
namespace {

using bytes = std::vector<std::uint8_t>;

bytes read_gzip(const std::filesystem::path& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose_r);
  if (!file) throw error(fmt::format("a readable file {}", path.string()), "none");
  bytes content;
  std::array<std::uint8_t, 1 << 16> chunk;
  int count = 0;
  while ((count = gzread(file.get(), chunk.data(), chunk.size())) > 0)
    content.insert(content.end(), chunk.begin(), chunk.begin() + count);
  int code = Z_OK;
  const char* reason = gzerror(file.get(), &code);
  if (code != Z_OK && code != Z_STREAM_END)
    throw error(fmt::format("a whole gzip file {}", path.string()),
                fmt::format("{} bytes, then '{}'", content.size(), reason));
  return content;
}

// An idx file: 0, 0, 8 (unsigned bytes), the rank, each extent in 4 big-endian bytes, then the numbers.
struct idx {
  std::vector<std::size_t> shape;
  bytes content;
};

idx read_idx(const std::filesystem::path& path, std::size_t rank) {
  const bytes file = read_gzip(path);
  const std::size_t header = 4 + 4 * rank;
  if (file.size() < header)
    throw error(fmt::format("an idx header of {} bytes in {}", header, path.string()),
                fmt::format("{} bytes", file.size()));
  if (file[0] != 0 || file[1] != 0 || file[2] != 8 || file[3] != rank)
    throw error(fmt::format("an idx file of unsigned bytes with rank {} in {} (00 00 08 {:02x})", rank,
                            path.string(), rank),
                fmt::format("{:02x} {:02x} {:02x} {:02x}", file[0], file[1], file[2], file[3]));
  idx result;
  std::size_t expected = 1;
  for (std::size_t i = 4; i < header; i += 4) {
    const std::size_t extent = (std::size_t{file[i]} << 24) | (std::size_t{file[i + 1]} << 16) |
                               (std::size_t{file[i + 2]} << 8) | std::size_t{file[i + 3]};
    if (extent == 0 || extent > file.size() / expected)  // the product never overflows
      throw error(fmt::format("extents that fit the {} bytes of {}", file.size(), path.string()),
                  fmt::format("an extent of {}", extent));
    result.shape.push_back(extent);
    expected *= extent;
  }
  if (file.size() - header != expected)
    throw error(fmt::format("{} bytes after the header of {}", expected, path.string()),
                fmt::format("{} bytes", file.size() - header));
  result.content.assign(file.begin() + static_cast<std::ptrdiff_t>(header), file.end());
  return result;
}

images read_images(const std::filesystem::path& folder, const std::string& prefix) {
  const auto pixels_path = folder / (prefix + "-images-idx3-ubyte.gz");
  idx pixels = read_idx(pixels_path, 3);
  idx labels = read_idx(folder / (prefix + "-labels-idx1-ubyte.gz"), 1);
  if (pixels.shape[1] != 28 || pixels.shape[2] != 28)
    throw error(fmt::format("images of 28x28 pixels in {}", pixels_path.string()),
                fmt::format("{}x{}", pixels.shape[1], pixels.shape[2]));
  if (pixels.shape[0] != labels.shape[0])
    throw error(fmt::format("as many labels as images in {} ({})", folder.string(), pixels.shape[0]),
                fmt::format("{} labels", labels.shape[0]));
  const auto largest = *std::max_element(labels.content.begin(), labels.content.end());
  if (largest > 9)
    throw error(fmt::format("labels 0 to 9 in {}", folder.string()), fmt::format("a label {}", largest));
  return {28 * 28, std::move(pixels.content), std::move(labels.content)};
}

void measure_pixels(data_set& data) {
  double sum = 0;
  double squares = 0;
  for (const double pixel : data.training.pixels) {
    sum += pixel;
    squares += pixel * pixel;
  }
  const auto count = static_cast<double>(data.training.pixels.size());
  const double mean = sum / count;
  data.mean = static_cast<float>(mean);
  data.deviation = static_cast<float>(std::sqrt(squares / count - mean * mean));
}

images reordered(const images& from, std::span<const std::uint32_t> order) {
  images result{from.width, {}, {}};
  for (const std::size_t i : order) {
    const auto first = from.pixels.begin() + static_cast<std::ptrdiff_t>(i * from.width);
    result.pixels.insert(result.pixels.end(), first, first + static_cast<std::ptrdiff_t>(from.width));
    result.labels.push_back(from.labels[i]);
  }
  return result;
}

}  // namespace

images images::slice(std::size_t first, std::size_t last) const {
  const auto at = [](const bytes& from, std::size_t i) {
    return from.begin() + static_cast<std::ptrdiff_t>(i);
  };
  return {width, bytes(at(pixels, first * width), at(pixels, last * width)),
          bytes(at(labels, first), at(labels, last))};
}

data_set fashion_mnist(const std::filesystem::path& folder) {
  const images training = read_images(folder, "train");
  const images validation = read_images(folder, "t10k");
  if (training.size() != 60'000)
    throw error(fmt::format("60000 training images in {}", folder.string()),
                fmt::format("{}", training.size()));
  data_set data{.name = "Fashion-MNIST",
                .training = training.slice(0, 55'000),
                .tuning = training.slice(55'000, 60'000),
                .validation = validation,
                .shift = 2,
                .mirror = true};
  measure_pixels(data);
  return data;
}

data_set digits(const std::filesystem::path& folder) {
  const auto path = folder / "digits.csv.gz";
  const bytes file = read_gzip(path);
  const char* at = reinterpret_cast<const char*>(file.data());
  const char* const end = at + file.size();
  images all{64, {}, {}};
  for (std::size_t line = 1; at != end; ++line) {
    for (std::size_t field = 0; field < 65; ++field) {
      const bool label = field == 64;
      unsigned value = 0;
      const auto [next, failure] = std::from_chars(at, end, value);
      const bool separated = next != end && *next == (label ? '\n' : ',');
      if (failure != std::errc{} || !separated || value > (label ? 9u : 16u))
        throw error(fmt::format("64 pixels of 0 to 16 and a label of 0 to 9, comma-separated, in line {} of {}",
                                line, path.string()),
                    fmt::format("'{}' in field {}", std::string(at, std::min(at + 8, end)), field + 1));
      (label ? all.labels : all.pixels).push_back(static_cast<std::uint8_t>(value));
      at = next + 1;
    }
  }
  if (all.size() != 1797)
    throw error(fmt::format("1797 lines in {}", path.string()), fmt::format("{}", all.size()));

  std::vector<std::uint32_t> order(all.size());
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937(8));  // the file goes writer by writer
  all = reordered(all, order);
  data_set data{.name = "8x8 digits",
                .training = all.slice(0, 1200),
                .tuning = all.slice(1200, 1497),
                .validation = all.slice(1497, 1797),
                .shift = 1};
  measure_pixels(data);
  return data;
}

std::string split_in_words(const data_set& data, bool tuning) {
  return fmt::format("{} images to train; {} to {} that it never trains on.", data.training.size(),
                     (tuning ? data.tuning : data.validation).size(), tuning ? "choose settings by" : "validate");
}

void gather(const data_set& data, const images& from, std::span<const std::uint32_t> chosen, batch& to) {
  to.images.resize(static_cast<Eigen::Index>(chosen.size()), static_cast<Eigen::Index>(from.width));
  to.labels.resize(chosen.size());
  const float scale = 1 / data.deviation;
  float* out = to.images.data();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const std::uint8_t* in = from.pixels.data() + chosen[i] * from.width;
    out = std::transform(in, in + from.width, out, [&](float pixel) { return (pixel - data.mean) * scale; });
    to.labels[i] = from.labels[chosen[i]];
  }
}

void augment(const data_set& data, batch& batch, std::mt19937& random) {
  const auto side = static_cast<int>(std::lround(std::sqrt(static_cast<double>(data.training.width))));
  const float background = -data.mean / data.deviation;
  std::vector<float> moved(data.training.width);
  for (auto image : batch.images.rowwise()) {
    const auto draw = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
    const int down = draw(2 * data.shift + 1) - data.shift;
    const int right = draw(2 * data.shift + 1) - data.shift;
    const bool mirrored = data.mirror && draw(2) == 1;
    std::fill(moved.begin(), moved.end(), background);
    for (int y = std::max(0, down); y < side + std::min(0, down); ++y) {
      const float* from = image.data() + (y - down) * side - std::min(0, right);
      float* to = moved.data() + y * side;
      std::copy_n(from, side - std::abs(right), to + std::max(0, right));
      if (mirrored) std::reverse(to, to + side);
    }
    std::copy(moved.begin(), moved.end(), image.data());
  }
}

batches::batches(const data_set& data, std::size_t size, unsigned seed)
    : data_(data), size_(size), random_(seed), order_(data.training.size()) {
  if (size == 0 || size > order_.size())
    throw error(fmt::format("a batch of 1 to {} images", order_.size()), fmt::format("{}", size));
  std::iota(order_.begin(), order_.end(), 0u);
  at_ = order_.size();
}

const batch& batches::next() {
  if (order_.size() - at_ < size_) {  // what is left is less than a batch: a new epoch
    std::shuffle(order_.begin(), order_.end(), random_);
    at_ = 0;
  }
  gather(data_, data_.training, std::span(order_).subspan(at_, size_), batch_);
  augment(data_, batch_, random_);
  at_ += size_;
  return batch_;
}

}  // namespace race
