// Scale rules: the factor by which the orthogonal matrix is multiplied.
#pragma once

#include <cstddef>
#include <string_view>
#include <variant>

#include <thalweg/core/field.hpp>

namespace thalweg {

struct spectral {};  ///< √max(1, rows/cols): Muon
struct match_rms {   ///< rms·√max(rows, cols): AMUSE, Moonlight (arXiv 2502.16982); the RMS of Adam's steps
  double rms = 0.2;
  static constexpr auto fields = list{field{"rms", &match_rms::rms, positive}};
};
struct unit_rms_norm {};  ///< √(rows/cols): an input of RMS 1 becomes an output of RMS 1 at most; Dion, Scion
/// The nuclear norm of the update, Σσ, the dual of the spectral norm: PolarGrad (Lau et al., arXiv 2505.21799), computed as
/// ⟨u, X⟩
struct nuclear_norm {};
struct none {};
using scale_rule = std::variant<spectral, match_rms, unit_rms_norm, nuclear_norm, none>;

/// The factor from the shape alone; 1 for `nuclear_norm`, which depends on the update.
constexpr double factor(const scale_rule& rule, std::size_t rows, std::size_t cols) {
  const auto m = static_cast<double>(rows), n = static_cast<double>(cols);
  if (const auto* match = std::get_if<match_rms>(&rule)) return match->rms * sqrt(max(m, n));
  if (std::holds_alternative<unit_rms_norm>(rule)) return sqrt(m / n);
  return std::holds_alternative<spectral>(rule) ? sqrt(max(1.0, m / n)) : 1.0;
}

/// Refuses `nuclear_norm` for transforms that do not keep the update.
inline void check_is_of_shape(std::string_view where, const scale_rule& rule) {
  if (std::holds_alternative<nuclear_norm>(rule))
    throw error(where, "Expected a scale rule that depends only on the shape: "
                "spectral, match_rms, unit_rms_norm or none. Received nuclear_norm.");
}

}  // namespace thalweg
