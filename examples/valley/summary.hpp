#pragma once
// Means over measurements and seeds, and tables of them.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../race/interval.hpp"
#include "settings.hpp"
#include "watch.hpp"

namespace valley {

// One number of all measurements: seed → last step → value.
using history = std::map<unsigned, std::map<long, double>>;

// A number of `measured`, or of the swings' mean over all directions: sign_changes_at_z, autocorrelation_at_y, … of those that
// train themselves.
history history_of(const observations& all, const std::string& trajectory, const std::string& optimizer,
                   std::string_view measure);

// At each step, over the seeds.
std::map<long, race::interval> by_step(const history& h);

// The mean over the measurements of each seed, and over the seeds with its 95 % interval. Nothing where there is no number.
std::optional<race::interval> overall(const history& h);

// What every optimizer did on its own; the differences between the followed optimizer and the others, seed by seed; what riders
// did on the followed trajectory; and the differences between the momentum and the other riders.
std::string tables(const observations& all, const settings& settings);

}  // namespace valley
