// What the core's tests train: parameters and gradients in vectors, and noise that is the same everywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <thalweg/core/tensor.hpp>

namespace test {

/// Uniform in [-1, 1), the same for the same seed and index on every machine.
inline double noise(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t x = seed * 0x9E3779B97F4A7C15u + index * 0xBF58476D1CE4E5B9u + 0x94D049BB133111EBu;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1p-52 - 1;
}

struct layer {
  std::string name;
  std::vector<std::size_t> shape;
  thalweg::role role = thalweg::role::hidden;
  double lr_factor = 1, weight_decay_factor = 1;
};

template <class T>
struct model {
  using arrays = std::vector<std::vector<T>>;
  std::vector<layer> layers;
  arrays values, gradients;

  explicit model(std::vector<layer> given) : layers(std::move(given)) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::size_t n = thalweg::element_count(layers[i].shape);
      values.emplace_back(n);
      for (std::size_t j = 0; j < n; ++j) values[i][j] = static_cast<T>(noise(1000 + i, j));
      gradients.emplace_back(n);
    }
    differentiate(1);
  }
  model(model&&) = default;
  model(const model&) = default;

  [[nodiscard]] std::vector<thalweg::parameter<T>> parameters() {
    std::vector<thalweg::parameter<T>> all;
    for (std::size_t i = 0; i < layers.size(); ++i)
      all.push_back({.name = layers[i].name,
                     .shape = layers[i].shape,
                     .role = layers[i].role,
                     .data = values[i].data(),
                     .lr_factor = layers[i].lr_factor,
                     .weight_decay_factor = layers[i].weight_decay_factor});
    return all;
  }

  /// New gradients: noise, the same for the same step.
  void differentiate(long step) {
    for (std::size_t i = 0; i < gradients.size(); ++i)
      for (std::size_t j = 0; j < gradients[i].size(); ++j)
        gradients[i][j] = static_cast<T>(noise(static_cast<std::uint64_t>(step) * 64 + i, j));
  }

  template <class Optimizer>
  void train(Optimizer& opt, long from, long to) {
    for (long t = from; t <= to; ++t) {
      differentiate(t);
      opt.step(gradients);
    }
  }
};

/// The small model of most tests: two hidden matrices, an embedding, two vectors.
inline std::vector<layer> small_layers() {
  return {
      {"w1", {5, 7}}, {"b1", {7}}, {"w2", {3, 4}}, {"table", {4, 3}, thalweg::role::embedding}, {"b2", {1}}};
}

/// And what each route asks for, and one that is cut among threads.
inline std::vector<layer> varied_layers() {
  auto all = small_layers();
  all.push_back({"filters", {6, 2, 3, 3}});
  all.push_back({"long", {70001}});
  return all;
}

/// x, by `averaged` and at an evaluation point.
template <class T, class Optimizer>
std::array<typename model<T>::arrays, 2> both_x(const model<T>& m, Optimizer& opt) {
  auto x = m.values;
  for (std::size_t i = 0; i < x.size(); ++i) opt.averaged(i, x[i]);
  const auto at_x = opt.evaluation_point();
  return {x, m.values};
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}
template <class T>
bool same_bits(const std::vector<std::vector<T>>& a, const std::vector<std::vector<T>>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!same_bits(a[i], b[i])) return false;
  return true;
}

/// The largest difference between two models' values.
template <class A, class B>
double distance(const std::vector<std::vector<A>>& a, const std::vector<std::vector<B>>& b) {
  double largest = a.size() == b.size() ? 0 : 1e300;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
    for (std::size_t j = 0; j < a[i].size() || j < b[i].size(); ++j) {
      const double d = static_cast<double>(a[i].at(j)) - static_cast<double>(b[i].at(j));
      if (!(d <= largest && -d <= largest)) largest = d < 0 ? -d : d;
    }
  return largest;
}

}  // namespace test
