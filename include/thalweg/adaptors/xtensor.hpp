// xtensor: include this header instead of <xtensor/…>.
//
// xtensor up to 0.24.3 has a specialisation only for C++17. In C++20 g++ then treats an array of any rank as one of
// rank 4, and `eval`, immediate reductions, `pad` or `tile` of an `xt::xarray` read invalid memory. This header
// restores the specialisation. It must come before its first use, so thalweg includes xtensor only here.
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

/// `xt::xarray` or `xt::xtensor`, also over memory of somebody else; not a lazy expression, not a view.
template <class Array>
concept xtensor_array = std::derived_from<Array, xt::xcontainer<Array>>;

namespace detail {

template <xtensor_array Array>
storage_order order_of(const Array& array, const std::string& where) {
  if (array.layout() == xt::layout_type::row_major) return storage_order::row_major;
  if (array.layout() == xt::layout_type::column_major) return storage_order::column_major;
  throw error(where, "Expected a row-major or column-major array. Received one with other strides.");
}

}  // namespace detail

/// The array as a parameter. It is a view: do not move or reshape `array`.
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

/// The array as a gradient. It must have the storage order of its parameter.
///
///     opt.step({as_gradient(dw), as_gradient(db)});
template <xtensor_array Array>
std::span<const typename Array::value_type> as_gradient(const Array& array) {
  detail::order_of(array, "as_gradient");
  return {array.data(), array.size()};
}

/// A tensor of a tensor-wise transform, which xtensor reads and writes in place.
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
