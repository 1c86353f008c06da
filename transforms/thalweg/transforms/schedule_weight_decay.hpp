// schedule_weight_decay: gives the weight decay a schedule of its own.
#pragma once

#include <string>
#include <utility>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

template <class Schedule>
struct scheduled_weight_decay {
  Schedule schedule;
  using leaves_type = std::tuple<Schedule>;
  static constexpr std::string_view name = "schedule_weight_decay";

  [[nodiscard]] std::string text() const { return call_text(name, text_of(schedule)); }

  constexpr context at(context c) const {
    if constexpr (has_fields<Schedule>) check_fields(name_of(schedule), schedule);
    context of_decay = c;
    of_decay.lr = c.weight_decay;
    c.weight_decay = schedule.at(of_decay).lr;
    return c;
  }
};

/// The schedule changes λ as it would change a learning rate. It does not change lr.
///
///     auto c = schedule_weight_decay(linear{.steps = 1000, .final = 0.1}) | scale_by_adam{};
template <class Schedule>
constexpr auto schedule_weight_decay(Schedule schedule) {
  static_assert(contextual<Schedule> && states_of<Schedule>::scalars == 0,
                "thalweg: schedule_weight_decay(schedule) takes a schedule: a contextual transform without state");
  return scheduled_weight_decay<Schedule>{std::move(schedule)};
}

}  // namespace thalweg
