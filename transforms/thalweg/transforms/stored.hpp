// stored: sets the type of one transform's state.
#pragma once

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/recipe.hpp>
#include <thalweg/core/stored.hpp>

namespace thalweg {

template <class Transform>
struct stored_transform : Transform {  // states and fields are the transform's own
  state_in stored_in;
  using leaves_type = std::tuple<Transform>;
  static constexpr std::string_view name = [] {
    if constexpr (requires { std::string_view(Transform::name); }) return std::string_view(Transform::name);
    else return type_name<Transform>();
  }();

  [[nodiscard]] std::string text() const {
    return call_text("stored", stored_in, text_of(static_cast<const Transform&>(*this)));
  }
};

/// The transform with its state in this type instead of `options::state`. This includes copies of the parameter (z,
/// averages). Training must be in float. Only for element-wise transforms, because others work on their state in place.
///
///     auto c = stored(state_in::bfloat16, nesterov_ema{.beta = 0.95}) | orthogonalize_update{};
template <class Transform>
constexpr auto stored(state_in how, Transform transform) {
  static_assert(!recipe<Transform>, "thalweg: stored(how, transform) takes a transform; for a whole recipe, set options::state");
  static_assert(!tensorwise_transform<Transform> && states_of<Transform>::arrays > 0,
                "thalweg: stored(how, transform) takes an element-wise transform that keeps arrays");
  return stored_transform<Transform>{std::move(transform), how};
}

}  // namespace thalweg
