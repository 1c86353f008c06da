#pragma once
// Where a model is: all its parameters as one vector.

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "../race/task.hpp"
#include "subspace.hpp"

namespace valley {

using parameters = std::vector<thalweg::parameter<float>>;

inline std::span<float> memory_of(const thalweg::parameter<float>& p) {
  return {static_cast<float*>(p.data), thalweg::element_count(p.shape)};
}

// Vectors one behind the other.
inline vector joined(const std::vector<std::span<const float>>& parts) {
  std::size_t size = 0;
  for (const auto part : parts) size += part.size();
  vector whole(static_cast<Eigen::Index>(size));
  double* to = whole.data();
  for (const auto part : parts) to = std::ranges::copy(part, to).out;
  return whole;
}

inline vector place_of(const parameters& all) {
  std::vector<std::span<const float>> parts;
  for (const auto& p : all) parts.push_back(memory_of(p));
  return joined(parts);
}

inline void go_to(const parameters& all, const vector& place) {
  const double* from = place.data();
  for (const auto& p : all)
    for (float& number : memory_of(p)) number = static_cast<float>(*from++);
}

// Moves parameters to another place while this object exists. Its end restores them bit for bit.
class visit {
  parameters all_;
  vector home_;

public:
  visit(parameters all, const vector& place) : all_(std::move(all)), home_(place_of(all_)) { go_to(all_, place); }
  visit(visit&&) = delete;
  ~visit() { go_to(all_, home_); }
};

// The loss on the fixed examples at a place. Its gradient is left in the model's gradients().
inline double loss_at(race::model& model, const vector& place) {
  const visit visit(model.parameters(), place);
  return model.differentiate(race::examples::fixed);
}

}  // namespace valley
