// Parameters: views of the user's memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/error.hpp>
#include <thalweg/core/field.hpp>
#include <thalweg/core/stored.hpp>
#include <thalweg/core/view.hpp>

namespace thalweg {

/// What the shape does not show: embeddings and the head are matrices that Muon should not train. A head that is tied
/// to an embedding is one parameter, an embedding. If a chain depends on the role, it refuses a parameter without one.
enum class role { unspecified, hidden, embedding, head };

/// The order of a matrix in memory. C arrays, xtensor and PyTorch are row-major, Eigen's matrices column-major.
enum class storage_order { row_major, column_major };

constexpr std::string_view to_text(role r) {
  constexpr std::string_view names[] = {"unspecified", "hidden", "embedding", "head"};
  return names[static_cast<std::size_t>(r)];
}

constexpr std::size_t element_count(std::span<const std::size_t> shape) {
  std::size_t count = 1;
  for (const std::size_t side : shape) count *= side;
  return count;
}

/// The address of numbers for an optimizer of T: an array of T, or, if T is float, of a 16-bit type.
///
///     parameter<float> w{.name = "w", .shape = {128, 784}, .data = reinterpret_cast<bfloat16*>(memory)};
template <class T>
class parameter_data {
  void* data_ = nullptr;
  number_type type_{};

public:
  constexpr parameter_data() noexcept = default;
  constexpr parameter_data(std::nullptr_t) noexcept {}
  constexpr parameter_data(T* data) noexcept : data_(data), type_(detail::type_of<T>) {}
  constexpr parameter_data(bfloat16* data)
    requires std::is_same_v<T, float>
      : data_(data), type_(number_type::bfloat16) {}
  constexpr parameter_data(float16* data)
    requires std::is_same_v<T, float>
      : data_(data), type_(number_type::float16) {}

  [[nodiscard]] constexpr void* data() const { return data_; }
  [[nodiscard]] constexpr number_type type() const { return type_; }
  /// Null if the array is not of T.
  constexpr operator T*() const { return data_ && type_ == detail::type_of<T> ? static_cast<T*>(data_) : nullptr; }
};

/// Memory of the user, which must not move while the optimizer lives. A parameter without elements is left out.
///
///     parameter<float> w{.name = "w", .shape = {128, 784}, .role = role::hidden, .data = weights.data()};
///     parameter<float> e{.name = "embedding", .shape = {50257, 768}, .role = role::embedding, .data = table};
///     parameter<float> b{.name = "bias", .shape = {128}, .data = bias.data(), .weight_decay_factor = 0};
template <class T>
struct parameter {
  std::string name{};
  std::vector<std::size_t> shape{};
  thalweg::role role = role::unspecified;
  parameter_data<T> data = nullptr;
  storage_order order = storage_order::row_major;
  double lr_factor = 1;            ///< this parameter's lr, as a multiple of the optimizer's
  double weight_decay_factor = 1;  ///< this parameter's weight decay, as a multiple of the optimizer's
  thalweg::view::list view{};
};

/// A span or vector as a parameter; without a shape it is a vector. Throws if the size does not match the shape.
///
///     std::vector<float> w(128 * 784), b(128);
///     const std::vector parameters{as_parameter("w", w, {128, 784}, role::hidden), as_parameter("b", b)};
///     auto opt = optimizer(recipes::muon(), parameters, {.lr = 0.02});
template <class T>
parameter<T> as_parameter(std::string name, std::span<T> values, std::vector<std::size_t> shape,
                          role r = role::unspecified) {
  if (element_count(shape) != values.size())
    throw error("as_parameter", "Expected the ", element_count(shape), " elements of shape ", shape, " for ", in_quotes(name),
                ". Received ", values.size(), ".");
  return {std::move(name), std::move(shape), r, values.data()};
}
template <class T>
parameter<T> as_parameter(std::string name, std::vector<T>& values, std::vector<std::size_t> shape,
                          role r = role::unspecified) {
  return as_parameter(std::move(name), std::span<T>(values), std::move(shape), r);
}
template <class T>
parameter<T> as_parameter(std::string name, std::span<T> values, role r = role::unspecified) {
  return as_parameter(std::move(name), values, {values.size()}, r);
}
template <class T>
parameter<T> as_parameter(std::string name, std::vector<T>& values, role r = role::unspecified) {
  return as_parameter(std::move(name), std::span<T>(values), r);
}

/// A parameter without its memory, for routes and checks.
struct parameter_info {
  std::string name{};
  std::vector<std::size_t> shape{};
  thalweg::role role = role::unspecified;
  storage_order order = storage_order::row_major;
  double lr_factor = 1, weight_decay_factor = 1;

  static constexpr auto fields = list{field{"lr_factor", &parameter_info::lr_factor, non_negative},
                                      field{"weight_decay_factor", &parameter_info::weight_decay_factor, non_negative}};

  [[nodiscard]] std::size_t size() const { return element_count(shape); }
  [[nodiscard]] std::size_t rows() const { return shape.empty() ? 1 : shape.front(); }
  [[nodiscard]] std::size_t cols() const { return element_count(std::span(shape).subspan(shape.empty() ? 0 : 1)); }
};

/// Refuses rank 3 for the transform `where`, which works on matrices: it may be many of them or one.
inline void check_is_no_stack(std::string_view where, const parameter_info& p) {
  if (p.shape.size() == 3)
    throw error(where, "Expected a matrix, or filters of rank >= 4. Received ", in_quotes(p.name), " with shape ", p.shape,
                ". Set a view: .view = {view::stack{}} for ", p.shape[0], " matrices, .view = {view::filters{}} for one of ",
                p.shape[0], " rows.");
}

/// Refuses what has no rows and columns as well.
inline void check_has_sides(std::string_view where, const parameter_info& p) {
  check_is_no_stack(where, p);
  if (p.shape.size() < 2)
    throw error(where, "Expected rank >= 2. Received ", in_quotes(p.name), " with shape ", p.shape,
                ". Route it elsewhere: route(when(hidden_matrix, ...), otherwise(...)).");
}

}  // namespace thalweg
