// The core tests' model, its parameters and gradients in device memory: as far as wanted from where loads are aligned,
// with sentinels around each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <thalweg/cuda/device.hpp>

#include "../core/model.hpp"

namespace test {

/// Arrays of the host's, and the same in device memory.
template <class T>
class arrays_on_device {
  static constexpr T sentinel = T(-77);
  static constexpr std::size_t room = 16;  // before and behind each
  std::vector<std::size_t> first_, sizes_;
  std::vector<T> host_;
  thalweg::cuda::device_array<T> memory_;

public:
  /// `offset`: in elements, from where 256 bytes are aligned.
  explicit arrays_on_device(const std::vector<std::vector<T>>& values, std::size_t offset = 0) {
    std::size_t end = 0;
    for (const auto& v : values) {
      first_.push_back(end + room + offset);
      sizes_.push_back(v.size());
      end = (first_.back() + v.size() + room + 63) / 64 * 64;
    }
    host_.assign(end, sentinel);
    memory_ = thalweg::cuda::device_array<T>(end);
    put(values);
  }

  [[nodiscard]] std::span<T> operator[](std::size_t i) const { return {memory_.data() + first_[i], sizes_[i]}; }
  [[nodiscard]] std::vector<std::span<const T>> spans() const {
    std::vector<std::span<const T>> all;
    for (std::size_t i = 0; i < sizes_.size(); ++i) all.push_back((*this)[i]);
    return all;
  }

  void put(const std::vector<std::vector<T>>& values, cudaStream_t stream = nullptr) {
    for (std::size_t i = 0; i < values.size(); ++i) std::ranges::copy(values[i], host_.begin() + at(i));
    thalweg::cuda::copy<T>(host_.data(), host_.size(), memory_.data(), stream);
    thalweg::cuda::synchronize(stream);
  }
  [[nodiscard]] std::vector<std::vector<T>> get(cudaStream_t stream = nullptr) {
    auto there = whole(stream);
    std::vector<std::vector<T>> values;
    for (std::size_t i = 0; i < sizes_.size(); ++i)
      values.emplace_back(there.begin() + at(i), there.begin() + at(i) + static_cast<std::ptrdiff_t>(sizes_[i]));
    return values;
  }
  /// Whether nothing was written between the arrays.
  [[nodiscard]] bool sentinels_stand(cudaStream_t stream = nullptr) {
    auto there = whole(stream);
    for (std::size_t i = 0; i < sizes_.size(); ++i) std::fill_n(there.begin() + at(i), sizes_[i], sentinel);
    return same_bits(there, std::vector<T>(there.size(), sentinel));
  }

private:
  [[nodiscard]] std::ptrdiff_t at(std::size_t i) const { return static_cast<std::ptrdiff_t>(first_[i]); }
  [[nodiscard]] std::vector<T> whole(cudaStream_t stream) const {
    std::vector<T> there(host_.size());
    thalweg::cuda::copy<T>(memory_.data(), there.size(), there.data(), stream);
    thalweg::cuda::synchronize(stream);
    return there;
  }
};

template <class T>
struct model_on_device {
  model<T> host;
  arrays_on_device<T> values, gradients;

  explicit model_on_device(std::vector<layer> layers, std::size_t offset = 0, std::size_t gradients_offset = 0)
      : host(std::move(layers)), values(host.values, offset), gradients(host.gradients, gradients_offset) {}

  [[nodiscard]] std::vector<thalweg::parameter<T>> parameters() {
    auto all = host.parameters();
    for (std::size_t i = 0; i < all.size(); ++i) all[i].data = values[i].data();
    return all;
  }
  void differentiate(long step) {
    host.differentiate(step);
    gradients.put(host.gradients);
  }
  template <class Optimizer>
  void train(Optimizer& opt, long from, long to) {
    for (long t = from; t <= to; ++t) {
      differentiate(t);
      opt.step(gradients.spans());
    }
  }
};

}  // namespace test
