// Scale rules: the factor by which the orthogonal matrix is multiplied.
#pragma once

#include <cstddef>
#include <variant>

#include <thalweg/core/field.hpp>

namespace thalweg {

struct spectral {};  ///< √max(1, rows/cols): Muon
struct match_rms {   ///< rms·√max(rows, cols): AMUSE, Moonlight (arXiv 2502.16982); steps as long as Adam's
  double rms = 0.2;
  static constexpr auto fields = list{field{"rms", &match_rms::rms, positive}};
};
struct none {};
using scale_rule = std::variant<spectral, match_rms, none>;

constexpr double factor(const scale_rule& rule, std::size_t rows, std::size_t cols) {
  const auto m = static_cast<double>(rows), n = static_cast<double>(cols);
  if (const auto* match = std::get_if<match_rms>(&rule)) return match->rms * sqrt(max(m, n));
  return std::holds_alternative<spectral>(rule) ? sqrt(max(1.0, m / n)) : 1.0;
}

}  // namespace thalweg
