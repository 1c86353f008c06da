#include "curvature.hpp"

#include "place.hpp"

namespace valley {

vector gradient_at(race::model& model, const vector& place) {
  static_cast<void>(loss_at(model, place));
  return joined(model.gradients());
}

hessian_product differences_at(race::model& model, const vector& place) {
  return [&model, place](const vector& direction) {
    return central_difference([&](const vector& at) { return gradient_at(model, at); }, place, direction, 1e-2);
  };
}

subspace dominant_at(race::model& model, const vector& place, Eigen::Index k) {
  return top_eigenpairs(hessian_at(model, place), place.size(), k, 1e-3);
}

double curvature_kept(race::model& model, const subspace& dominant, const vector& place) {
  const hessian_product hessian = hessian_at(model, place);
  double sum = 0;
  for (Eigen::Index i = 0; i < dominant.directions.cols(); ++i) {
    const vector direction = dominant.directions.col(i);
    sum += direction.dot(hessian(direction));
  }
  return sum / dominant.curvatures.sum();
}

}  // namespace valley
