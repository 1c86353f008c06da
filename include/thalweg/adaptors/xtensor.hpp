// The one door to xtensor: include this, never <xtensor/…>.
//
// xtensor up to 0.24.3 hides a specialisation from every standard but C++17. In C++20 g++ then takes an array of any
// rank for one of rank 4, and `eval`, immediate reductions, `pad` or `tile` of an `xt::xarray` read memory that is not
// theirs. The specialisation is restored here; that it comes before its first use is why there is one door.
#pragma once

#include <xtensor/xexpression_traits.hpp>
#include <xtensor/xtensor_config.hpp>

#if defined(__GNUC__) && !defined(__clang__) && __cplusplus > 201703L && \
    XTENSOR_VERSION_MAJOR == 0 && XTENSOR_VERSION_MINOR <= 24
namespace xt::detail {

// Spelled with a template template parameter: for `svector` by name it would be ambiguous with xtensor's own.
template <template <class, std::size_t, class, bool> class Shape, class Index, std::size_t N, class Allocator, bool Init>
struct xtype_for_shape<Shape<Index, N, Allocator, Init>> {
  template <class T, layout_type Layout>
  using type = xarray<T, Layout>;
};

}  // namespace xt::detail
#endif

#include <concepts>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xbuilder.hpp>
#include <xtensor/xeval.hpp>
#include <xtensor/xio.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnorm.hpp>
#include <xtensor/xpad.hpp>
#include <xtensor/xrandom.hpp>
#include <xtensor/xsort.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include <thalweg/core/error.hpp>
#include <thalweg/core/tensor.hpp>

namespace thalweg {

/// `xt::xarray`, `xt::xtensor`, or either over memory that somebody else owns; no lazy expression, no view.
template <class Array>
concept xtensor_array = std::derived_from<Array, xt::xcontainer<Array>>;

namespace detail {

template <xtensor_array Array>
storage_order order_of(const Array& array, const std::string& where) {
  if (array.layout() == xt::layout_type::row_major) return storage_order::row_major;
  if (array.layout() == xt::layout_type::column_major) return storage_order::column_major;
  throw error(where, "Expected a row-major or column-major array. Received one with strides of its own.");
}

}  // namespace detail

/// The array as a parameter: a view, so `array` must stay where it is, and keep its shape.
///
///     xt::xarray<float> w = xt::random::randn<float>({128, 784});
///     auto opt = optimizer(recipes::muon(), std::vector{as_parameter("w", w, role::hidden)}, {.lr = 0.02});
template <xtensor_array Array>
auto as_parameter(std::string name, Array& array, role r = role::unspecified) {
  const auto order = detail::order_of(array, "as_parameter");
  return parameter<typename Array::value_type>{.name = std::move(name),
                                               .shape = {array.shape().begin(), array.shape().end()},
                                               .role = r,
                                               .data = array.data(),
                                               .order = order};
}

/// The array as a gradient, in memory's order: it should lie as its parameter does.
///
///     opt.step({as_gradient(dw), as_gradient(db)});
template <xtensor_array Array>
std::span<const typename Array::value_type> as_gradient(const Array& array) {
  detail::order_of(array, "as_gradient");
  return {array.data(), array.size()};
}

/// A tensor-wise transform's tensor, for xtensor to read and write in place.
///
///     auto center = tensorwise("center", [](tensor<float> u) {
///       auto x = as_xtensor(u);
///       x -= xt::mean(x, {0}, xt::keep_dims | xt::evaluation_strategy::immediate);
///       return u;
///     });
template <class T>
auto as_xtensor(tensor<T> t) {
  if (t.order != storage_order::row_major)
    throw error("as_xtensor", "Expected a row-major tensor. Received '", t.name, "', column-major.");
  return xt::adapt(t.data, t.size(), xt::no_ownership(), xt::dynamic_shape<std::size_t>(t.shape.begin(), t.shape.end()));
}

}  // namespace thalweg
