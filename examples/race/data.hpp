#pragma once
// The race's images, read from Debian's packages and checked on the way in.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "error.hpp"
#include "network.hpp"

namespace race {

struct images {
  std::size_t width = 0;             // pixels an image
  std::vector<std::uint8_t> pixels;  // image after image
  std::vector<std::uint8_t> labels;  // 0 … 9

  std::size_t size() const { return labels.size(); }
  images slice(std::size_t first, std::size_t last) const;
};

struct data_set {
  std::string name;
  images training;
  images tuning;      // learning rates are chosen on these …
  images validation;  // … and the race is judged on these
  float mean = 0;     // of the training images' pixels
  float deviation = 1;
  int shift = 0;        // training images are moved by at most this many pixels each way …
  bool mirror = false;  // … and mirrored every other time: a small network would soon know them by heart
};

// Zalando's clothes, 28×28: 55 000 to train, the training file's other 5 000 to tune, and the 10 000 test
// images to validate.
data_set fashion_mnist(const std::filesystem::path& folder);

// scikit-learn's handwritten digits, 8×8, shuffled once: 1 200 to train, 297 to tune, 300 to validate.
data_set digits(const std::filesystem::path& folder);

// "55000 images to train; 10000 to validate that it never trains on."
std::string split_in_words(const data_set& data, bool tuning);

struct batch {
  matrix<float> images;
  std::vector<std::uint8_t> labels;
};

// Copies the chosen images into `to`, normalised to the training set's mean 0 and deviation 1.
void gather(const data_set& data, const images& from, std::span<const std::uint32_t> chosen, batch& to);

// Moves and mirrors each image of the batch at random, as the data set allows.
void augment(const data_set& data, batch& batch, std::mt19937& random);

// Endless augmented batches, reshuffled every epoch. The same seed gives the same batches to everybody.
class batches {
public:
  batches(const data_set& data, std::size_t size, unsigned seed);
  const batch& next();

private:
  const data_set& data_;
  std::size_t size_;
  std::mt19937 random_;
  std::vector<std::uint32_t> order_;
  std::size_t at_ = 0;
  batch batch_;
};

}  // namespace race
