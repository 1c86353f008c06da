// in_row_blocks: a matrix that is several, fused, treated as several.
#pragma once

#include <algorithm>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

template <class Transform>
struct blocked {
  Transform transform;
  long blocks = 1;
  static constexpr std::string_view name = "in_row_blocks";
  static constexpr auto fields = [] {
    const field count{"blocks", &blocked::blocks, from(1)};
    if constexpr (has_fields<Transform>) return std::tuple{count, field{"transform", &blocked::transform}};
    else return std::tuple{count};
  }();

  [[nodiscard]] std::string text() const { return call_text(name, to_text(blocks), text_of(transform)); }

  void check(const parameter_info& p) const {
    if (p.rows() % count() != 0)
      throw error(name, "Expected rows in ", blocks, " equal blocks. Received '", p.name, "' with shape ", p.shape,
                  ".");
    if (p.order != storage_order::row_major)
      throw error(name, "Expected a row-major matrix, whose rows lie together. Received '", p.name, "' column-major.");
    if constexpr (requires { transform.check(p); }) transform.check(block(p));
  }

  void check(const context& c) const
    requires requires(const Transform& t) { t.check(c); }
  {
    transform.check(c);
  }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const
    requires detail::has_scratch<Transform>
  {
    return transform.scratch(block(p));
  }

  template <class T, class... Scratch>
    requires requires(const Transform& t, const context& c, tensor<T> u, Scratch... s) { t.apply(c, u, s...); }
  void apply(const context& c, tensor<T> u, Scratch... scratch) const
      noexcept(noexcept(transform.apply(c, u, scratch...))) {
    const std::array shape{u.rows() / count(), u.cols()};
    const std::size_t size = shape[0] * shape[1];
    const auto seen = std::span<const std::size_t>(shape).first(std::min<std::size_t>(u.rank(), 2));
    for (std::size_t b = 0; b < count(); ++b)
      transform.apply(c, tensor<T>{u.data + b * size, seen, u.order, u.name}, scratch...);
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
