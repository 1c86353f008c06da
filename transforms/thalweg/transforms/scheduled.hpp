// scheduled: any hyper-parameter of a transform on any schedule.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/recipe.hpp>

namespace thalweg {

template <class Transform, class Place, class Schedule>
struct scheduled_transform : Transform {  // states and fields are the transform's own
  Place place;
  Schedule schedule;
  using leaves_type = std::tuple<Transform, Schedule>;
  static constexpr std::string_view name = [] {
    if constexpr (requires { std::string_view(Transform::name); }) return std::string_view(Transform::name);
    else return type_name<Transform>();
  }();

  [[nodiscard]] std::string text() const {
    return call_text("scheduled", name_of_field(*this, place), text_of(schedule),
                     text_of(static_cast<const Transform&>(*this)));
  }

  template <class... Scalars>
    requires(!detail::reducing<Transform>) && requires(const Transform& t, context c, Scalars... s) { t.at(c, s...); }
  constexpr auto at(const context& c, Scalars... scalars) const {
    return now(c).at(c, scalars...);
  }

  template <class... Sums>
    requires detail::reducing<Transform> && requires(const Transform& t, context c, Sums... s) { t.at(c, s...); }
  constexpr auto at(const context& c, Sums... sums) const noexcept {
    return settled(c).at(c, sums...);  // `reduce` has checked it
  }
  constexpr auto reduce(const context& c) const
    requires detail::reducing<Transform>
  {
    return now(c).reduce(c);
  }

  template <class... Given>
    requires requires(const Transform& t, const context& c, Given... g) { t.apply(c, g...); }
  void apply(const context& c, Given... given) const
      noexcept(noexcept(std::declval<const Transform&>().apply(c, given...))) {
    settled(c).apply(c, given...);
  }
  void check(const context& c) const
    requires tensorwise_transform<Transform>
  {
    [[maybe_unused]] const Transform t = now(c);
    if constexpr (requires { t.check(c); }) t.check(c);
  }
  void check(const parameter_info& p) const
    requires requires(const Transform& t) { t.check(p); }
  {
    Transform::check(p);
  }

  constexpr context pass_on(context c) const
    requires requires(const Transform& t) { t.pass_on(c); }
  {
    return settled(c).pass_on(c);
  }

  /// The transform as it is at a step, unchecked.
  [[nodiscard]] constexpr Transform settled(const context& c) const {
    Transform t = *this;
    context of_value = c;
    of_value.lr = static_cast<double>(t.*place);
    of_value.step = c.schedule_step.value_or(c.step);
    t.*place = field_value<std::remove_reference_t<decltype(t.*place)>>(schedule.at(of_value).lr);
    return t;
  }

private:
  constexpr Transform now(const context& c) const {
    if constexpr (has_fields<Schedule>) check_fields(name_of(schedule), schedule);
    const Transform t = settled(c);
    if constexpr (has_fields<Transform>) check_fields(name, t);
    return t;
  }
};

/// The transform with one of its fields on a schedule. The schedule changes the field's value as it would change a learning
/// rate. A value out of the field's range is refused before the step. A whole-number field takes the nearest whole number.
/// The scratch memory is what the first value needs. Nest `scheduled` to put several fields on schedules.
///
///     auto c = scheduled(&nesterov_ema::beta, linear{.steps = 1000, .final = 0.9}, nesterov_ema{.beta = 0.95});
template <class Owner, class Value, class Schedule, class Transform = Owner>
  requires std::derived_from<Transform, Owner>
constexpr auto scheduled(Value Owner::*place, Schedule schedule, Transform transform = {}) {
  static_assert(contextual<Schedule> && states_of<Schedule>::scalars == 0,
                "thalweg: scheduled(&transform::field, schedule) takes a schedule: a contextual transform without "
                "state");
  static_assert(!recipe<Transform>, "thalweg: scheduled(&transform::field, schedule) moves no recipe's field");
  static_assert(!gate<Transform>, "thalweg: the fields of what swallows steps (accumulate) may not move");
  static_assert(!averaging<Transform> || states_of<Transform>::scalars > 0,
                "thalweg: this transform recovers x by its fields, which therefore may not move");
  return scheduled_transform<Transform, Value Owner::*, Schedule>{std::move(transform), place, std::move(schedule)};
}

}  // namespace thalweg
