// The race's data: broken files are refused by name, batches are what they say.
#include <doctest/doctest.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "../../examples/race/data.hpp"

namespace {

namespace fs = std::filesystem;

struct folder {
  fs::path path = fs::temp_directory_path() / ("thalweg-race-" + std::to_string(getpid()));
  folder() { fs::create_directories(path); }
  ~folder() { fs::remove_all(path); }

  void write(const std::string& name, const std::string& content) const {
    const gzFile file = gzopen((path / name).c_str(), "wb1");
    REQUIRE(gzwrite(file, content.data(), static_cast<unsigned>(content.size())) ==
            static_cast<int>(content.size()));
    gzclose(file);
  }
  void cut_in_half(const std::string& name) const {
    fs::resize_file(path / name, fs::file_size(path / name) / 2);
  }
};

std::string idx(std::vector<unsigned> shape, const std::string& content) {
  std::string file{0, 0, 8, static_cast<char>(shape.size())};
  for (const unsigned extent : shape)
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(extent >> shift & 0xFF);
  return file + content;
}

const std::string training_images = "train-images-idx3-ubyte.gz";
const std::string training_labels = "train-labels-idx1-ubyte.gz";

std::string message(race::data_set (*read)(const fs::path&), const folder& from) {
  try {
    read(from.path);
  } catch (const race::error& failure) {
    return failure.what();
  }
  return "no error";
}

void check_message(const std::string& message, const std::string& expected, const std::string& received) {
  CHECK_MESSAGE(message.starts_with("[race] Expected " + expected), message);
  CHECK_MESSAGE(message.find(" Received " + received) != message.npos, message);
}

std::string digits_line(unsigned pixel, unsigned label) {
  std::string line;
  for (int i = 0; i < 64; ++i) line += std::to_string(pixel) + ',';
  return line + std::to_string(label) + '\n';
}

// Sixteen 8×8 images, each of one grey, with the image's number as label modulo 10.
race::data_set greys() {
  race::data_set data{"greys", {64, {}, {}}, {}, {}, 7.5f, 2.0f};
  for (std::uint8_t i = 0; i < 16; ++i) {
    data.training.pixels.insert(data.training.pixels.end(), 64, i);
    data.training.labels.push_back(i % 10);
  }
  return data;
}

}  // namespace

TEST_CASE("idx files that are not what they must be are refused") {
  const folder in;
  const std::string three(3 * 28 * 28, 'x');
  check_message(message(race::fashion_mnist, in), "a readable file", "none.");

  in.write(training_images, "");
  check_message(message(race::fashion_mnist, in), "an idx header of 16 bytes", "0 bytes.");
  in.write(training_images, idx({3, 28, 28}, three).substr(0, 15));
  check_message(message(race::fashion_mnist, in), "an idx header of 16 bytes", "15 bytes.");
  in.write(training_images, idx({3}, std::string(100, 'x')));
  check_message(message(race::fashion_mnist, in), "an idx file of unsigned bytes with rank 3",
                "00 00 08 01.");
  in.write(training_images, idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, three));
  check_message(message(race::fashion_mnist, in), "extents that fit", "an extent of 4294967295.");
  in.write(training_images, idx({3, 0, 28}, three));
  check_message(message(race::fashion_mnist, in), "extents that fit", "an extent of 0.");
  in.write(training_images, idx({3, 28, 28}, three.substr(1)));
  check_message(message(race::fashion_mnist, in), "2352 bytes after the header", "2351 bytes.");
  in.write(training_images, idx({3, 28, 28}, three + "x"));
  check_message(message(race::fashion_mnist, in), "2352 bytes after the header", "2353 bytes.");

  std::string noise;  // does not compress: half a file is half the content
  std::mt19937 random(1);
  for (int i = 0; i < 3 * 28 * 28; ++i) noise += static_cast<char>(random());
  in.write(training_images, idx({3, 28, 28}, noise));
  in.cut_in_half(training_images);
  check_message(message(race::fashion_mnist, in), "a whole gzip file", "");

  in.write(training_images, idx({4, 28, 21}, three));
  in.write(training_labels, idx({4}, {0, 1, 2, 3}));
  check_message(message(race::fashion_mnist, in), "images of 28x28 pixels", "28x21.");
  in.write(training_images, idx({3, 28, 28}, three));
  check_message(message(race::fashion_mnist, in), "as many labels as images", "4 labels.");
  in.write(training_labels, idx({3}, {0, 10, 2}));
  check_message(message(race::fashion_mnist, in), "labels 0 to 9", "a label 10.");

  in.write(training_labels, idx({3}, {0, 1, 2}));
  in.write("t10k-images-idx3-ubyte.gz", idx({3, 28, 28}, three));
  in.write("t10k-labels-idx1-ubyte.gz", idx({3}, {0, 1, 2}));
  check_message(message(race::fashion_mnist, in), "60000 training images", "3.");
}

TEST_CASE("digits: sound files are split, others refused") {
  const folder in;
  std::string all;
  for (unsigned i = 0; i < 1797; ++i) all += digits_line(i % 17, i % 10);
  in.write("digits.csv.gz", all);
  const auto data = race::digits(in.path);
  CHECK(data.training.size() == 1200);
  CHECK(data.tuning.size() == 297);
  CHECK(data.validation.size() == 300);
  CHECK(data.training.pixels.size() == 1200 * 64);

  const auto refused = [&](const std::string& content) {
    in.write("digits.csv.gz", content);
    return message(race::digits, in);
  };
  check_message(refused(""), "1797 lines", "0.");
  check_message(refused(all.substr(0, all.size() - 1)), "64 pixels of 0 to 16", "'6' in field 65.");
  check_message(refused(all.substr(0, all.size() - 7)), "64 pixels of 0 to 16", "");
  check_message(refused(digits_line(17, 1)), "64 pixels of 0 to 16", "'17,17,17' in field 1.");
  check_message(refused(digits_line(16, 10)), "64 pixels of 0 to 16", "'10\n' in field 65.");
  check_message(refused("1,2\n"), "64 pixels of 0 to 16", "'2\n' in field 2.");
  check_message(refused("-1,2\n"), "64 pixels of 0 to 16", "'-1,2\n' in field 1.");
}

TEST_CASE("an epoch of batches shows every image once, normalised, and the seed decides the order") {
  const auto data = greys();
  race::batches one(data, 4, 1), same(data, 4, 1), other(data, 4, 2);
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::vector<int> seen, seen_by_other;
    for (int i = 0; i < 4; ++i) {
      const auto& batch = one.next();
      CHECK(batch.images == same.next().images);
      const auto& another = other.next();
      for (Eigen::Index j = 0; j < 4; ++j) {
        const float grey = batch.images(j, 0) * data.deviation + data.mean;
        CHECK(std::lround(grey) % 10 == batch.labels[static_cast<std::size_t>(j)]);
        CHECK(batch.images.row(j).minCoeff() == batch.images.row(j).maxCoeff());
        seen.push_back(static_cast<int>(std::lround(grey)));
        seen_by_other.push_back(
            static_cast<int>(std::lround(another.images(j, 0) * data.deviation + data.mean)));
      }
    }
    CHECK(seen != seen_by_other);
    std::ranges::sort(seen);
    for (int i = 0; i < 16; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
  }
  CHECK_THROWS_WITH_AS(race::batches(data, 17, 1), "[race] Expected a batch of 1 to 16 images. Received 17.",
                       race::error);
  CHECK_THROWS_AS(race::batches(data, 0, 1), race::error);
}

TEST_CASE("augmentation moves an image as a whole and fills with the background") {
  auto data = greys();
  data.shift = 2;
  data.mirror = true;
  std::mt19937 random(1);
  const float background = -data.mean / data.deviation;
  bool mirrored = false;
  for (int trial = 0; trial < 200; ++trial) {
    race::batch batch{race::matrix<float>::Constant(1, 64, background), {0}};
    batch.images(0, 3 * 8 + 2) = 1;  // row 3, column 2 …
    batch.images(0, 3 * 8 + 3) = 2;  // … and its right neighbour
    race::augment(data, batch, random);
    const float* pixels = batch.images.data();
    const auto find = [&](float value) { return std::find(pixels, pixels + 64, value) - pixels; };
    const auto one = find(1);
    const auto two = find(2);
    REQUIRE((batch.images.array() != background).count() == 2);
    CHECK(std::abs(one / 8 - 3) <= 2);
    CHECK(one / 8 == two / 8);
    mirrored |= two < one;
    CHECK(std::abs((two < one ? 7 - one % 8 : one % 8) - 2) <= 2);
    CHECK(std::abs(two - one) == 1);
  }
  CHECK(mirrored);
}
