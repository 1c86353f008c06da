// Sums over parameters in device memory, in double. The order depends only on their sizes: first over chunks, then over
// the chunks of each parameter or of all.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <thalweg/cuda/pass.hpp>

namespace thalweg::cuda::detail {

/// partials[block] = Σ reduction(element) over a chunk.
template <class T, class Numbers, class Reduction>
struct chunk_sums_body {
  static constexpr std::size_t count = Reduction::count, arrays = Reduction::arrays;
  using real = number<lane<double>>;
  using sums = std::array<double, count>;

  members<T> all;
  sums* partials;
  Reduction reduction;

  constexpr sums operator()(std::size_t block, std::size_t thread) const {
    const chunk c = all.chunks[block];
    const auto a = arrays_of<Numbers, arrays>(all, c.row);
    const std::size_t begin = std::size_t{c.number} * reduced_elements;
    const std::size_t end = std::min(all.sizes[c.row], begin + reduced_elements);
    std::array<real, count> mine{};
    for_each_packet<T>(thread, begin, end, a.aligned(), [&](auto width, std::size_t i) {
      const auto [u, g, p, s] = a.template load<width>(i);
      for (std::size_t w = 0; w < width; ++w) {
        const element<real> e{of(u.values[w]), of(g.values[w]), of(p.values[w])};
        std::array<real, arrays> own;
        for (std::size_t j = 0; j < arrays; ++j) own[j] = of(s[j].values[w]);
        const auto terms = reduction.terms(e, own);
        for (std::size_t k = 0; k < count; ++k) mine[k] += terms[k];
      }
    });
    sums total{};
    for (std::size_t k = 0; k < count; ++k) total[k] = mine[k].value().value;
    return total;
  }
  constexpr void finish(std::size_t block, const sums& s) const { partials[block] = s; }

private:
  static constexpr real of(T x) { return lane<double>(x); }
};

template <class T, class Numbers, class Transform>
struct chunk_sums_tag {
  using body = chunk_sums_body<T, Numbers, bound_reduction_of<Transform>>;
};

/// totals[block] = Σ partials, each of N numbers.
template <std::size_t N>
struct totals_body {
  using sums = std::array<double, N>;
  const sums* partials;
  chunk_range of;
  sums* totals;

  constexpr sums operator()(std::size_t block, std::size_t thread) const {
    sums mine{};
    for (std::size_t i = of.begin(block) + thread; i < of.end(block); i += threads_per_block)
      for (std::size_t k = 0; k < N; ++k) mine[k] += partials[i][k];
    return mine;
  }
  constexpr void finish(std::size_t block, const sums& s) const { totals[block] = s; }
};

}  // namespace thalweg::cuda::detail
