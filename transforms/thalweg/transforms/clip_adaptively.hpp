// clip_adaptively: limits the update of each unit in proportion to the unit's weights.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update, a row at a time: u_i·min(1, clipping·max(‖θ_i‖, ε)/‖u_i‖); a vector is one row
///
/// | field    | default | source                                                     |
/// |----------|---------|------------------------------------------------------------|
/// | clipping | 0.01    | adaptive gradient clipping, Brock et al., arXiv 2102.06171 |
/// | epsilon  | 1e-3    | the same                                                   |
///
/// Tensor-wise. It reads the parameter.
///
///     auto c = clip_adaptively{.clipping = 0.02} | heavyball_momentum{};
struct clip_adaptively {
  double clipping = 0.01;
  double epsilon = 1e-3;
  static constexpr auto fields = list{field{"clipping", &clip_adaptively::clipping, positive},
                                      field{"epsilon", &clip_adaptively::epsilon, above(0).below(1)}};

  void check(const parameter_info& p) const { check_is_no_stack("clip_adaptively", p); }
  template <class T>
  void apply(const context&, whole<T> w) const noexcept {
    const auto units = [vector = w.update.rank() < 2](const auto& t) {
      const auto m = t.matrix();
      return vector ? decltype(m){m.data, 1, m.rows, m.rows, 1} : m;
    };
    const auto u = units(w.update);
    const auto theta = units(w.parameter);
    for (std::size_t i = 0; i < u.rows; ++i) {
      const auto norm = [&](const auto& x) {
        double sum = 0;
        for (std::size_t j = 0; j < x.cols; ++j) sum += static_cast<double>(x(i, j)) * x(i, j);
        return sqrt(sum);
      };
      const double longest = clipping * max(norm(theta), epsilon), length = norm(u);
      const T by = static_cast<T>(length > longest ? longest / length : 1);
      for (std::size_t j = 0; j < u.cols; ++j) u(i, j) *= by;
    }
  }
};

}  // namespace thalweg
