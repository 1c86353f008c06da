// The state of a transform, with names, declared as a type.
//
//     using states = state<zeros<"momentum">, copy_of_param<"z">, scalar<"beta">>;
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include <thalweg/core/parameter.hpp>
#include <thalweg/core/scalar.hpp>

namespace thalweg {

/// A string as a template argument.
template <std::size_t N>
struct fixed_string {
  char text[N]{};
  constexpr fixed_string(const char (&literal)[N]) {  // NOLINT: implicit by intent
    for (std::size_t i = 0; i < N; ++i) text[i] = literal[i];
  }
  [[nodiscard]] constexpr std::string_view view() const { return {text, N - 1}; }
};

enum class slot_kind { array, scalar };

namespace detail {
/// An array of the parameter's shape.
struct parameter_shaped {
  static constexpr slot_kind kind = slot_kind::array;
  static constexpr bool of_its_shape = true;
  template <class Transform>
  static std::vector<std::size_t> shape(const Transform&, const parameter_info& p) { return p.shape; }
};
/// An array of another shape that starts at zero; for tensor-wise transforms.
struct otherwise_shaped {
  static constexpr slot_kind kind = slot_kind::array;
  static constexpr bool of_its_shape = false;
  template <class Transform, class T>
  static constexpr T initial(const Transform&, T) { return T(0); }
};
}  // namespace detail

/// An array of the parameter's shape that starts at zero.
template <fixed_string Name>
struct zeros : detail::parameter_shaped {
  static constexpr std::string_view name = Name.view();
  template <class Transform, class T>
  static constexpr T initial(const Transform&, T) { return T(0); }
};

/// An array that starts as a copy of the parameter.
template <fixed_string Name>
struct copy_of_param : detail::parameter_shaped {
  static constexpr bool copies_parameter = true;
  static constexpr std::string_view name = Name.view();
  template <class Transform, class T>
  static constexpr T initial(const Transform&, T parameter) { return parameter; }
};

/// An array that starts at the value of one of the transform's fields: `filled<"sum", &adagrad::initial>`.
template <fixed_string Name, auto Field>
struct filled : detail::parameter_shaped {
  static constexpr std::string_view name = Name.view();
  template <class Transform, class T>
  static constexpr T initial(const Transform& transform, T) { return saturated<T>(transform.*Field); }
};

/// One number for each row of the parameter, viewed as a (first, rest) matrix. A vector has one row for each element.
template <fixed_string Name>
struct rows : detail::otherwise_shaped {
  static constexpr std::string_view name = Name.view();
  template <class Transform>
  static std::vector<std::size_t> shape(const Transform&, const parameter_info& p) { return {p.rows()}; }
};

/// One number for each column.
template <fixed_string Name>
struct columns : detail::otherwise_shaped {
  static constexpr std::string_view name = Name.view();
  template <class Transform>
  static std::vector<std::size_t> shape(const Transform&, const parameter_info& p) { return {p.cols()}; }
};

/// A square matrix with as many rows as the parameter has rows.
template <fixed_string Name>
struct rows_by_rows : detail::otherwise_shaped {
  static constexpr std::string_view name = Name.view();
  template <class Transform>
  static std::vector<std::size_t> shape(const Transform&, const parameter_info& p) { return {p.rows(), p.rows()}; }
};

/// A square matrix with as many rows as the parameter has columns.
template <fixed_string Name>
struct columns_by_columns : detail::otherwise_shaped {
  static constexpr std::string_view name = Name.view();
  template <class Transform>
  static std::vector<std::size_t> shape(const Transform&, const parameter_info& p) { return {p.cols(), p.cols()}; }
};

/// An array that starts at zero, of the shape that a member function of the transform returns:
/// `shaped<"left", &scale_by_soap::left>`.
template <fixed_string Name, auto Shape>
struct shaped : detail::otherwise_shaped {
  static constexpr std::string_view name = Name.view();
  template <class Transform>
  static std::vector<std::size_t> shape(const Transform& transform, const parameter_info& p) {
    return (transform.*Shape)(p);
  }
};

/// One double per route, or one for the model in a model-wise transform. `at` receives it as its last argument, and returns
/// it with `next(…, value)`. It starts at zero, or at the value of one of the transform's fields.
template <fixed_string Name, auto... Field>
struct scalar {
  static constexpr std::string_view name = Name.view();
  static constexpr slot_kind kind = slot_kind::scalar;
  template <class Transform>
  static constexpr double initial(const Transform& transform) { return (0.0 + ... + (transform.*Field)); }
};

template <class... Slots>
struct state {
  static constexpr std::array<std::string_view, sizeof...(Slots)> names{Slots::name...};
  static constexpr std::size_t arrays = (std::size_t{0} + ... + (Slots::kind == slot_kind::array));
  static constexpr std::size_t scalars = sizeof...(Slots) - arrays;
  static constexpr bool of_its_shape = (true && ... && [] {  // every array has the parameter's shape
    if constexpr (Slots::kind == slot_kind::array) return Slots::of_its_shape;
    else return true;
  }());

  static constexpr bool distinct = [] {
    for (std::size_t i = 0; i < names.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (names[i] == names[j]) return false;
    return true;
  }();
  static_assert(distinct, "thalweg: two states of one name in this state<…>; each slot needs its own name");
};

}  // namespace thalweg
