// A small training of a model that does not exist: numbers from a fixed stream, the same for float and double and on
// every machine, in memory with sentinels around every array.
//
// Sanitizers take seconds to compile an optimizer: what does not depend on its chain is in training.cpp, once.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <build.hpp>
#include <thalweg/core/optimizer.hpp>

namespace training {

using test::build_on_host, test::builder;

struct parameter {
  std::string name;
  std::vector<std::size_t> shape;
  thalweg::role role = thalweg::role::hidden;
  std::size_t first = 0;  ///< where in the streams its numbers begin
  [[nodiscard]] std::size_t size() const { return thalweg::element_count(shape); }
};

/// Numbers in (-1, 1).
double initial(std::size_t index);
double gradient(long step, std::size_t index);

struct spike {
  std::size_t at;
  double value;
};

struct setting {
  std::vector<parameter> parameters;
  thalweg::options options{.lr = 0.1, .weight_decay = 0.05, .warmup_steps = 3};
  long steps = 6;
  double gradient_scale = 1;
  std::size_t offset = 0;                      ///< of every array from a register's boundary, in elements
  std::optional<training::spike> spike{};              ///< in the second gradient of the first parameter
  bool evaluates = false;                      ///< looks at x after every step
  std::function<double(long step)> set_lr{};  ///< by hand, before every step
};

template <class T>
struct outcome {
  std::vector<std::vector<T>> y, x;  ///< the parameters after the last step, and their averages
  std::string table;                 ///< describe()
};

/// Trains. Checks in passing that nothing but the parameters is written and that y is back after a look at x.
template <class T>
outcome<T> train(const builder<T>& build, const setting& s);

template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b);
template <class T>
bool same_bits(const outcome<T>& a, const outcome<T>& b);

/// The largest difference between two lists of vectors, relative to the largest number in them (at least 1).
/// Infinite where something is not finite.
template <class A, class B>
double difference(const std::vector<std::vector<A>>& a, const std::vector<std::vector<B>>& b);
template <class A, class B>
double difference(const outcome<A>& a, const outcome<B>& b);

}  // namespace training
