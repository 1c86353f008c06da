#include "curvature.hpp"

namespace valley {

hessian_product hessian_at(race::model& model, const vector& place) { return differences_at(model, place); }

}  // namespace valley
