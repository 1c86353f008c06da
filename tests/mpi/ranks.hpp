// What the tests on many ranks train: each rank has gradients of its own, and beside it stands one process with their mean.
#pragma once

#include <cstddef>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>

#include "../core/model.hpp"

namespace test {

inline int rank() {
  int r = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &r);
  return r;
}
inline int rank_count() {
  int n = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &n);
  return n;
}

/// What this process has sent to other ranks, message by message: tests/mpi/main.cpp counts it.
struct mail {
  unsigned long messages = 0, bytes = 0;
  bool operator==(const mail&) const = default;
};
mail sent_so_far();
inline mail sent_since(const mail& before) {
  const mail now = sent_so_far();
  return {now.messages - before.messages, now.bytes - before.bytes};
}
/// What `describe` says of a step.
template <class Optimizer>
mail promised(const Optimizer& opt) {
  const std::string said = opt.describe();
  mail all;
  std::istringstream(said.substr(said.find("it sends ") + 9)) >> all.bytes;
  std::istringstream(said.substr(said.find(" bytes in ") + 10)) >> all.messages;
  return all;
}

/// The gradients of a rank in a step.
template <class T>
typename model<T>::arrays gradients_of(const std::vector<layer>& layers, long step, int rank) {
  model<T> m(layers);
  m.differentiate(step * 16 + rank);
  return m.gradients;
}

/// (a₀ + a₁ + …)·(1/N), where of(r) is what rank r has.
template <class T>
typename model<T>::arrays mean_over_ranks(const std::function<typename model<T>::arrays(int)>& of) {
  auto sum = of(0);
  for (int r = 1; r < rank_count(); ++r) {
    const auto more = of(r);
    for (std::size_t i = 0; i < sum.size(); ++i)
      for (std::size_t k = 0; k < sum[i].size(); ++k) sum[i][k] += more[i][k];
  }
  const T share = T(1) / static_cast<T>(rank_count());
  for (auto& array : sum)
    for (T& x : array) x *= share;
  return sum;
}
template <class T>
typename model<T>::arrays mean_of_ranks(const std::vector<layer>& layers, long step) {
  return mean_over_ranks<T>([&](int r) { return gradients_of<T>(layers, step, r); });
}

/// Rows [first, last) of each parameter, as a rank of many has them.
template <class T>
struct shard {
  std::vector<layer> layers;
  std::vector<std::size_t> first, count;  ///< elements
  typename model<T>::arrays values;

  shard(const model<T>& whole, int r, int ranks) : layers(whole.layers) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      auto& shape = layers[i].shape;
      const std::size_t rows = shape.front(), columns = thalweg::element_count(shape) / rows;
      const auto begin = rows * static_cast<std::size_t>(r) / static_cast<std::size_t>(ranks);
      shape.front() = rows * static_cast<std::size_t>(r + 1) / static_cast<std::size_t>(ranks) - begin;
      first.push_back(begin * columns);
      count.push_back(shape.front() * columns);
    }
    values = of(whole.values);
  }
  [[nodiscard]] typename model<T>::arrays of(const typename model<T>::arrays& whole) const {
    typename model<T>::arrays own;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      const auto begin = whole[i].begin() + static_cast<std::ptrdiff_t>(first[i]);
      own.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(count[i]));
    }
    return own;
  }
  [[nodiscard]] std::vector<thalweg::parameter<T>> parameters() {
    std::vector<thalweg::parameter<T>> all;
    for (std::size_t i = 0; i < layers.size(); ++i)
      all.push_back({.name = layers[i].name, .shape = layers[i].shape, .role = layers[i].role, .data = values[i].data()});
    return all;
  }
};

}  // namespace test
