// Which sides of a matrix have an eigenbasis, for the transforms that work in it.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <thalweg/core/parameter.hpp>

namespace thalweg {

/// Which sides of a matrix have a basis.
enum class soap_sides {
  both,
  shorter  ///< the shorter one alone; the rows of a square matrix
};

constexpr std::string_view to_text(soap_sides s) { return s == soap_sides::both ? "both" : "shorter"; }

/// How long the side of the rows is, and that of the columns; 0 where it has no basis.
inline std::size_t left_side(soap_sides s, const parameter_info& p) {
  return s == soap_sides::both || p.rows() <= p.cols() ? p.rows() : 0;
}
inline std::size_t right_side(soap_sides s, const parameter_info& p) {
  return s == soap_sides::both || p.rows() > p.cols() ? p.cols() : 0;
}

}  // namespace thalweg
