// in_row_blocks: a matrix that is several, fused, treated as several.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

template <class Transform>
struct blocked {
  Transform transform;
  long blocks = 1;
  static constexpr std::string_view name = "in_row_blocks";
  using leaves_type = std::tuple<Transform>;
  static constexpr auto fields = [] {
    const field count{"blocks", &blocked::blocks, from(1)};
    if constexpr (has_fields<Transform>) return list{count, field{"transform", &blocked::transform}};
    else return list{count};
  }();

  [[nodiscard]] std::string text() const { return call_text(name, to_text(blocks), text_of(transform)); }

  void check(const parameter_info& p) const {
    if (p.rows() % count() != 0)
      throw error(name, "Expected rows in ", blocks, " equal blocks. Received '", p.name, "' with shape ", p.shape,
                  ".");
    if constexpr (requires { transform.check(p); }) transform.check(block(p));
  }

  void check(const context& c) const
    requires requires(const Transform& t) { t.check(c); }
  {
    transform.check(c);
  }

  [[nodiscard]] std::string computed_by() const
    requires requires(const Transform& t) { t.computed_by(); }
  {
    return transform.computed_by();
  }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const {
    std::size_t room = p.order == storage_order::row_major ? 0 : 3 * block(p).size();
    if constexpr (detail::has_scratch<Transform>) room += transform.scratch(block(p));
    return room;
  }

  template <class T>
    requires tensorwise_of<Transform, T>
  void apply(const context& c, whole<T> w, std::span<T> scratch) const
      noexcept(noexcept(detail::call_apply(std::index_sequence<>(), transform, c, w, scratch, nullptr))) {
    const bool together = w.update.order == storage_order::row_major;
    const std::size_t rows = w.update.rows() / count(), cols = w.update.cols(), size = rows * cols;
    const std::array shape{rows, cols};
    const auto seen = std::span<const std::size_t>(shape).first(std::min<std::size_t>(w.update.rank(), 2));
    const auto copy_columns = [&](const T* from, std::size_t from_stride, T* to, std::size_t to_stride) {
      for (std::size_t j = 0; j < cols; ++j) std::copy_n(from + j * from_stride, rows, to + j * to_stride);
    };
    for (std::size_t b = 0; b < count(); ++b) {
      std::span<T> free = scratch;
      const auto block_of = [&](auto t) {
        auto* data = t.data + b * size;
        if (!together) {  // the block lies in pieces
          copy_columns(t.data + b * rows, w.update.rows(), free.data(), rows);
          data = free.data();
          free = free.subspan(size);
        }
        return decltype(t){data, seen, t.order, t.name, b * size};
      };
      const whole<T> given{block_of(w.update), block_of(w.gradient), block_of(w.parameter)};
      detail::call_apply(std::index_sequence<>(), transform, c, given, free, nullptr);
      if (!together) copy_columns(given.update.data, rows, w.update.data + b * rows, w.update.rows());
    }
  }

private:
  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(blocks); }
  [[nodiscard]] parameter_info block(parameter_info p) const {
    if (!p.shape.empty()) p.shape.front() /= count();
    return p;
  }
};

/// A tensor-wise transform, on each of `blocks` equal blocks of rows by itself: a fused q, k and v are three matrices,
/// and three for each head where every head is one.
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
