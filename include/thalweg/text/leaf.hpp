// A transform in a chain from text: a value that becomes a transform for numbers of either type.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/lower.hpp>

namespace thalweg::text {

/// A field that a schedule may move, as given.
struct moving_field {
  std::string name;
  double value;
  bool moves;  ///< whether it is a number
};

class leaf {
public:
  virtual ~leaf();

  detail::traits is;
  std::string name;
  std::vector<moving_field> fields;

  void add_field(std::string_view called, double value, bool moves);

  [[nodiscard]] virtual std::string text() const = 0;
  /// A contextual transform without state, used as a schedule.
  [[nodiscard]] virtual context at(const context& c) const { return c; }
  /// For `set` of the library's instruction sets.
  [[nodiscard]] virtual detail::any_transform<float> erased(std::type_identity<float>, std::size_t set) const = 0;
  [[nodiscard]] virtual detail::any_transform<double> erased(std::type_identity<double>, std::size_t set) const = 0;
};
using shared_leaf = std::shared_ptr<const leaf>;

/// Compiled in the including file: its kernel has a pass of its own, for the instruction set of that file.
struct lowered_here {
  template <class T, class Transform>
  static detail::any_transform<T> lower(const Transform& t, std::size_t set) {
    return detail::erased<T, detail::fused_passes, true>(t, set);
  }
};

/// `Lowering` says where the transform is compiled.
template <class Transform, class Lowering>
class leaf_of final : public leaf {
  Transform transform_;

  template <class T>
  [[nodiscard]] detail::any_transform<T> erased_for([[maybe_unused]] std::size_t set) const {
    constexpr bool takes = !tensorwise_transform<Transform> || tensorwise_of<Transform, T> || combinator<Transform>;
    if constexpr (takes) return Lowering::template lower<T>(transform_, set);
    else
      throw error(name, "Expected parameters of a type that the transform supports. Received ", sizeof(T) == 4 ? "float" : "double", ".");
  }

public:
  explicit leaf_of(Transform t) : transform_(std::move(t)) {
    is = detail::traits_of<Transform>();
    name = name_of(transform_);
    if constexpr (has_fields<Transform>)
      for_each_field<Transform>([&](const auto& field) {
        constexpr bool moves = std::is_arithmetic_v<detail::given_value<std::remove_cvref_t<decltype(transform_.*field.member)>>>;
        double value = 0;
        if constexpr (moves) value = static_cast<double>(field.of(transform_));
        add_field(field.name, value, moves);
      });
  }

  [[nodiscard]] std::string text() const override { return text_of(transform_); }
  [[nodiscard]] context at(const context& c) const override {
    if constexpr (contextual<Transform> && states_of<Transform>::scalars == 0) return transform_.at(c);
    else return c;
  }
  [[nodiscard]] detail::any_transform<float> erased(std::type_identity<float>, std::size_t set) const override {
    return erased_for<float>(set);
  }
  [[nodiscard]] detail::any_transform<double> erased(std::type_identity<double>, std::size_t set) const override {
    return erased_for<double>(set);
  }
};

}  // namespace thalweg::text
