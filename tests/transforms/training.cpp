#include "training.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include <doctest/doctest.h>

namespace training {

namespace {

// Number `index` of stream `stream` (splitmix64).
double number(std::uint64_t stream, std::uint64_t index) {
  std::uint64_t x = (stream + 1) * 0x9e3779b97f4a7c15u + index * 0xd1b54a32d192ed03u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  x ^= x >> 31;
  return static_cast<double>(x >> 11) * 0x1p-52 - 1;
}

// n elements at a chosen alignment, with sentinels on both sides.
template <class T>
class guarded {
  static constexpr std::size_t margin = 64 / sizeof(T);
  static constexpr T sentinel = T(-98765.4321);
  std::vector<T> memory_;
  std::size_t first_, size_;

public:
  guarded(std::size_t n, std::size_t offset) : memory_(n + 4 * margin, sentinel), size_(n) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    first_ = (64 - address % 64) % 64 / sizeof(T) + margin + offset;
  }
  std::span<T> values() { return std::span(memory_).subspan(first_, size_); }
  bool intact() const {
    const auto untouched = [](T x) { return x == sentinel; };
    const std::span all(memory_);
    return std::ranges::all_of(all.first(first_), untouched) &&
           std::ranges::all_of(all.subspan(first_ + size_), untouched);
  }
};

template <class T>
bool same_bits(const std::vector<std::vector<T>>& a, const std::vector<std::vector<T>>& b) {
  return std::ranges::equal(a, b, [](const auto& u, const auto& v) { return training::same_bits<T>(u, v); });
}

}  // namespace

double initial(std::size_t index) { return number(0, index); }
double gradient(long step, std::size_t index) { return number(static_cast<std::uint64_t>(step), index); }

template <class T>
outcome<T> train(const builder<T>& build, const setting& s) {
  std::vector<guarded<T>> parameters, gradients;
  std::vector<thalweg::parameter<T>> views;
  std::vector<std::span<const T>> slopes;
  for (const auto& p : s.parameters) {
    parameters.emplace_back(p.size(), s.offset);
    gradients.emplace_back(p.size(), s.offset);
  }
  for (std::size_t k = 0; k < s.parameters.size(); ++k) {
    const auto& p = s.parameters[k];
    const auto values = parameters[k].values();
    for (std::size_t i = 0; i < p.size(); ++i) values[i] = static_cast<T>(initial(p.first + i));
    views.push_back({.name = p.name, .shape = p.shape, .role = p.role, .data = values.data()});
    slopes.emplace_back(gradients[k].values());
  }

  const auto optimizer = build(views, s.options);
  std::vector<T> before, average;
  bool gradients_intact = true, returns_to_y = true, holds_the_average = true;
  for (long t = 1; t <= s.steps; ++t) {
    std::vector<std::vector<T>> given;
    for (std::size_t k = 0; k < s.parameters.size(); ++k) {
      const auto values = gradients[k].values();
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<T>(s.gradient_scale * gradient(t, s.parameters[k].first + i));
      if (k == 0 && t == 2 && s.spike) values[s.spike->at] = static_cast<T>(s.spike->value);
      given.emplace_back(values.begin(), values.end());
    }
    if (s.set_lr) optimizer->lr(s.set_lr(t));
    optimizer->step(slopes);
    for (std::size_t k = 0; k < given.size(); ++k)
      gradients_intact = gradients_intact && training::same_bits<T>(given[k], slopes[k]);

    if (s.evaluates)
      for (std::size_t k = 0; k < parameters.size(); ++k) {
        const auto values = parameters[k].values();
        before.assign(values.begin(), values.end());
        average.resize(values.size());
        optimizer->averaged(k, average);
        {
          const auto at_x = optimizer->evaluation_point();
          holds_the_average = holds_the_average && training::same_bits<T>(values, average);
        }
        returns_to_y = returns_to_y && training::same_bits<T>(values, before);
      }
  }

  outcome<T> result;
  bool intact = true;
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    const auto values = parameters[k].values();
    result.y.emplace_back(values.begin(), values.end());
    result.x.emplace_back(values.size());
    optimizer->averaged(k, result.x.back());
    intact = intact && parameters[k].intact() && gradients[k].intact();
  }
  result.table = optimizer->describe();
  CHECK(intact);
  CHECK(gradients_intact);
  CHECK(holds_the_average);
  CHECK(returns_to_y);
  return result;
}
template outcome<float> train(const builder<float>&, const setting&);
template outcome<double> train(const builder<double>&, const setting&);

template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}
template bool same_bits(std::span<const float>, std::span<const float>);
template bool same_bits(std::span<const double>, std::span<const double>);

template <class T>
bool same_bits(const outcome<T>& a, const outcome<T>& b) {
  return same_bits(a.y, b.y) && same_bits(a.x, b.x);
}
template bool same_bits(const outcome<float>&, const outcome<float>&);
template bool same_bits(const outcome<double>&, const outcome<double>&);

template <class A, class B>
double difference(const std::vector<std::vector<A>>& a, const std::vector<std::vector<B>>& b) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  double largest = 1, apart = 0;
  if (a.size() != b.size()) return infinite;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k].size() != b[k].size()) return infinite;
    for (std::size_t i = 0; i < a[k].size(); ++i) {
      const double u = static_cast<double>(a[k][i]), v = static_cast<double>(b[k][i]);
      if (!std::isfinite(u) || !std::isfinite(v)) return infinite;
      largest = std::max({largest, std::abs(u), std::abs(v)});
      apart = std::max(apart, std::abs(u - v));
    }
  }
  return apart / largest;
}
template double difference(const std::vector<std::vector<double>>&, const std::vector<std::vector<double>>&);

template <class A, class B>
double difference(const outcome<A>& a, const outcome<B>& b) {
  return std::max(difference(a.y, b.y), difference(a.x, b.x));
}
template double difference(const outcome<float>&, const outcome<float>&);
template double difference(const outcome<float>&, const outcome<double>&);
template double difference(const outcome<double>&, const outcome<float>&);
template double difference(const outcome<double>&, const outcome<double>&);

}  // namespace training
