#pragma once
// What the race measured, and means over its seeds.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "interval.hpp"
#include "train.hpp"

namespace race {

struct result {
  std::string key;   // "sf_adamw"
  std::string name;  // "Schedule-Free AdamW"
  double lr = 0;
  double weight_decay = 0;
  std::vector<unsigned> seeds;
  std::vector<run> runs;  // one a seed
};

inline constexpr std::array marks{10, 25, 50, 100};  // the stops that are tabled, in % of the budget

constexpr std::size_t index_of(int percent) {
  return static_cast<std::size_t>(std::ranges::find(stops, percent) - stops.begin());
}

struct spread {
  double mean = 0;
  double deviation = 0;  // of a sample; 0 where there is one seed
};

template <class Value>
spread over_seeds(const result& r, Value value) {
  const auto n = static_cast<double>(r.runs.size());
  spread s;
  for (const run& run : r.runs) s.mean += value(run) / n;
  if (r.runs.size() < 2) return s;
  for (const run& run : r.runs) s.deviation += std::pow(value(run) - s.mean, 2) / (n - 1);
  s.deviation = std::sqrt(s.deviation);
  return s;
}

using metric = double (*)(const point&);

inline spread over_seeds(const result& r, std::size_t point, metric value) {
  return over_seeds(r, [&](const run& run) { return value(run.curve[point]); });
}

// a - b at a point of the curve, seed by seed. Both have the same seeds.
inline interval paired(const result& a, const result& b, std::size_t point, metric value) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.runs.size(); ++i)
    differences.push_back(value(a.runs[i].curve[point]) - value(b.runs[i].curve[point]));
  return interval_of(differences);
}

inline double training_loss(const point& p) { return p.training.loss; }
inline double validation_loss(const point& p) { return p.validation.loss; }
inline double validation_percent(const point& p) { return 100 * p.validation.accuracy; }

}  // namespace race
