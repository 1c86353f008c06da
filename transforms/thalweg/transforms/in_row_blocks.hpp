// in_row_blocks: applies a transform to each of several matrices that are stored as one.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <thalweg/core/combinators.hpp>
#include <thalweg/core/lower.hpp>

namespace thalweg {

template <class Transform>
struct blocked {
  Transform transform;
  long blocks = 1;
  static constexpr std::string_view name = "in_row_blocks";
  static constexpr bool is_combinator = true;
  using leaves_type = std::tuple<Transform>;
  static constexpr auto fields = list{field{"blocks", &blocked::blocks, from(1)}};

  [[nodiscard]] std::string text() const { return call_text(name, to_text(blocks), text_of(transform)); }

  template <class T, class Passes>
  [[nodiscard]] detail::any_transform<T> lowered(std::size_t set) const {
    return detail::make_row_blocks<T>(detail::erased<T, Passes, false>(transform, set), blocks);
  }
};

/// Applies a tensor-wise transform to each of `blocks` equal blocks of rows. A fused matrix of q, k and v has three
/// blocks, or three blocks for each head if every head is a matrix of its own.
///
///     auto qkv = nesterov_ema{} | in_row_blocks(3, orthogonalize_update{.scale = match_rms{0.2}});
///     auto c = route(when(is_qkv, qkv), when(hidden_matrix, nesterov_ema{} | orthogonalize_update{}), otherwise());
template <class Transform>
constexpr auto in_row_blocks(long blocks, Transform transform) {
  static_assert(tensorwise_transform<Transform> && states_of<Transform>::arrays == 0,
                "thalweg: in_row_blocks(n, transform) takes a tensor-wise transform without state");
  return blocked<Transform>{std::move(transform), blocks};
}

}  // namespace thalweg
