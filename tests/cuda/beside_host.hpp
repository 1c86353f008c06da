// A device's optimizer beside the host's: the same chain, model and gradients.
#pragma once

#include <cstddef>
#include <type_traits>
#include <vector>

#include <thalweg/core/optimizer.hpp>
#include <thalweg/cuda/optimizer.hpp>

#include "model_on_device.hpp"

namespace test {

/// How far numbers of order one may be apart after some steps, where nothing amplifies what is rounded.
template <class T>
constexpr double rounding = std::is_same_v<T, float> ? 2e-6 : 2e-14;

/// Every length round a packet's, and round the chunks'.
inline std::vector<layer> lengths() {
  std::vector<layer> all;
  for (std::size_t n = 1; n < 20; ++n) all.push_back({thalweg::in_words("length ", n), {n}});
  for (const std::size_t n : {4095, 4096, 4097, 8200, 16384, 16389})
    all.push_back({thalweg::in_words("length ", n), {n}});
  return all;
}

struct comparison {
  double travelled, apart_at_y, apart_at_x;
  bool y_is_back, sentinels_stand;
};

/// After five steps. `offset`, `of_gradients`: how far parameters and gradients begin from where loads are aligned.
template <class T, class Chain>
comparison beside_host(const Chain& chain, const thalweg::options& o, const std::vector<layer>& layers,
                       std::size_t offset = 0, std::size_t of_gradients = 0) {
  model<T> host(layers);
  model_on_device<T> device(layers, offset, of_gradients);
  auto expected = thalweg::optimizer(chain, host.parameters(), o);
  auto opt = thalweg::cuda::optimizer(chain, device.parameters(), o);
  const auto start = host.values;
  const auto train = [&](long from, long to) {
    host.train(expected, from, to);
    device.train(opt, from, to);
  };
  train(1, 3);
  expected.lr(o.lr / 2);
  opt.lr(o.lr / 2);
  train(4, 5);
  const auto y = device.values.get();
  comparison seen{.travelled = distance(host.values, start), .apart_at_y = distance(y, host.values), .apart_at_x = 0,
                  .y_is_back = false, .sentinels_stand = false};
  {
    const auto on_host = expected.evaluation_point();
    const auto on_device = opt.evaluation_point();
    seen.apart_at_x = distance(device.values.get(), host.values);
  }
  seen.y_is_back = same_bits(device.values.get(), y) && opt.steps() == 5;
  seen.sentinels_stand = device.values.sentinels_stand() && device.gradients.sentinels_stand();
  return seen;
}

}  // namespace test
