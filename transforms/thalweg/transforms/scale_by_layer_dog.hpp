// scale_by_layer_dog: DoG, for each parameter on its own.
#pragma once

#include <vector>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// r ← max(r, ‖θ - a‖, initial·(1 + ‖a‖)),  G ← G + ‖u‖²,  update u·r/√(G + ε), with the norms of each parameter and a:
/// the initial parameter
///
/// | field   | default | source                                                       |
/// |---------|---------|--------------------------------------------------------------|
/// | initial | 1e-6    | L-DoG, Ivgi et al., arXiv 2302.12022: r_ε; formll/dog        |
/// | epsilon | 1e-8    | formll/dog                                                   |
///
/// Tensor-wise. Use lr = 1 and an average, as for `scale_by_dog`. State: `anchor`, from the parameter; `distance` r and
/// `norm` √G, one number each.
///
///     auto opt = optimizer(scale_by_layer_dog{} | update_and_average{}, parameters, {.lr = 1});
struct scale_by_layer_dog {
  double initial = 1e-6;
  double epsilon = 1e-8;
  static constexpr const char* elsewhere[] = {"ldog", "l_dog"};
  static constexpr auto fields = list{field{"initial", &scale_by_layer_dog::initial, positive},
                                      field{"epsilon", &scale_by_layer_dog::epsilon, square_epsilon}};

  [[nodiscard]] std::vector<std::size_t> one(const parameter_info&) const { return {1}; }
  using states = state<copy_of_param<"anchor">, shaped<"distance", &scale_by_layer_dog::one>, shaped<"norm", &scale_by_layer_dog::one>>;

  template <class T>
  void apply(const context&, whole<T> given, tensor<T> anchor, tensor<T> distance, tensor<T> norm) const noexcept {
    double squares = static_cast<double>(norm.data[0]) * static_cast<double>(norm.data[0]), way = 0, begin = 0;
    for (std::size_t i = 0; i < given.update.size(); ++i) {
      const double u = given.update.data[i], a = anchor.data[i], moved = given.parameter.data[i] - a;
      squares += u * u;
      way += moved * moved;
      begin += a * a;
    }
    const double farthest = max(max(static_cast<double>(distance.data[0]), sqrt(way)), initial * (1 + sqrt(begin)));
    distance.data[0] = saturated<T>(farthest);
    norm.data[0] = saturated<T>(sqrt(squares));
    const double by = farthest / sqrt(squares + epsilon);
    for (T& x : given.update.values()) x = static_cast<T>(by * static_cast<double>(x));
  }
};

}  // namespace thalweg
