// scale_to_rms: gives every parameter's update the same root mean square.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u·rms·√n/‖u‖, with the norm of each parameter; a zero update stays zero
///
/// | field | default | source                                                                       |
/// |-------|---------|------------------------------------------------------------------------------|
/// | rms   | 0.2     | as Adam's usual RMS: NorMuon, arXiv 2510.05491; AdaMuon, arXiv 2507.11005 |
///
/// Parameter-wise.
///
///     auto c = orthogonalize_update{.scale = none{}} | scale_by_row_rms{} | scale_to_rms{.rms = 0.2};
struct scale_to_rms {
  double rms = 0.2;
  static constexpr auto fields = list{field{"rms", &scale_to_rms::rms, positive}};

  using over = each_parameter;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return sums(e.update * e.update, T(1)); };
  }

  constexpr auto at(const context&, double sum_of_squares, double count) const noexcept {
    return [by = sum_of_squares == 0 ? 0 : rms * sqrt(count) / sqrt(sum_of_squares)]<class T>(element<T> e) {
      return next(T(by) * e.update);
    };
  }
};

}  // namespace thalweg
