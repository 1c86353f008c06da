#include <algorithm>
#include <cmath>

#include <thalweg/core/average_weights.hpp>
#include <thalweg/core/error.hpp>

namespace thalweg::detail {

double average_weights::add(long step, const context& end, const options& o, bool is_read) {
  const bool by_largest = end.heard<weighs_largest_lr>().has_value();
  if (by_largest) largest_lr = std::max(largest_lr, end.lr);
  const double lr = by_largest ? largest_lr : end.lr;
  const double weight = weight_of_step(step, lr, o.weight_lr_power, o.r), all = sum + weight;
  if (is_read && lr > 0 && !(weight > 0 && std::isfinite(all)))
    throw error("step", "Expected a weight t^r·lr^weight_lr_power of the average that is neither zero nor infinite. Received t = ",
                step, ", r = ", o.r, ", lr = ", lr, ", weight_lr_power = ", o.weight_lr_power, ".");
  if (!is_read && !std::isfinite(all)) return share_of_none();
  sum = all;
  return sum > 0 ? weight / sum : 1;
}

}  // namespace thalweg::detail
