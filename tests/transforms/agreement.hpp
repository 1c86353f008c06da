// The optimizer beside its oracle, in double and in float.
#pragma once

#include "oracle.hpp"
#include "suite.hpp"

namespace oracle {

using training::setting;
using training::subject;

/// A dozen steps on a matrix of 5 × 9.
setting dozen();

vector start(const training::parameter& p);
history gradients(const setting& s, const training::parameter& p);

/// The parameters end where the oracle says. x amplifies y's rounding by 1/β.
void agrees(const subject& chain, const setting& s, const outcome& expected, double within = 1e-5,
            double in_double_within = 1e-13);

/// `chain` descends by the update u.
void descends(const subject& chain, const update& u, decay how = decay::decoupled, const setting& s = dozen());

/// `chain` averages, with the update u.
void averages(const subject& chain, const update& u, const interpolation& beta, thalweg::decay_point decay,
              const setting& s = dozen());

/// θ ← step(θ, gradients so far, lr, λ)
using step = std::function<vector(const vector& theta, const history& gradients, double lr, double weight_decay)>;
void walks(const subject& chain, const step& step, const setting& s = dozen());

}  // namespace oracle
