#pragma once

#include "place.hpp"
#include "segment.hpp"

namespace valley {

// Where the three sequences of an optimizer are. y is in the parameters. x is what the optimizer evaluates. z is a state array of
// the chain's average, which a checkpoint names "parameter/transform.z"; where there is none, z is y.
positions positions_of(const parameters& all, const thalweg::optimizer<float>& optimizer);

}  // namespace valley
