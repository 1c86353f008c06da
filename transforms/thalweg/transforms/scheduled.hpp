// scheduled: gives a hyper-parameter of a transform a schedule.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/combinators.hpp>
#include <thalweg/core/lower.hpp>
#include <thalweg/core/recipe.hpp>

namespace thalweg {

template <class Transform, class Member, class Schedule>
struct scheduled_transform : Transform {  // states, fields and kernel are the transform's own
  Member member;
  Schedule schedule;
  using runs = Transform;
  using leaves_type = std::tuple<Transform, Schedule>;
  static constexpr std::string_view name = [] {
    if constexpr (requires { std::string_view(Transform::name); }) return std::string_view(Transform::name);
    else return type_name<Transform>();
  }();

  [[nodiscard]] std::string text() const {
    return call_text("scheduled", name_of_field(*this, member), text_of(schedule), text_of(as_written()));
  }

  /// For a schedule that another schedule asks.
  template <class... Given>
    requires requires(const Transform& t, const context& c, Given... given) { t.at(c, given...); }
  constexpr auto at(const context& c, Given... given) const
      noexcept(noexcept(std::declval<const Transform&>().at(c, given...))) {
    Transform now = *this;
    now.*member = field_value<std::remove_reference_t<decltype(now.*member)>>(
        detail::scheduled_value(static_cast<double>(now.*member), c, asked(schedule)));
    if constexpr (has_fields<Transform>) check_fields(name, now);
    return now.at(c, given...);
  }

  template <class T, class Passes>
  [[nodiscard]] detail::any_transform<T> lowered(std::size_t set) const {
    std::size_t number = 0, found = 0;
    for_each_field<Transform>([&](const auto& field) {
      if constexpr (std::is_same_v<decltype(field.member), Member>)
        if (field.member == member) found = number + 1;
      ++number;
    });
    if (!found) throw error("scheduled", "Expected a field that ", name, " lists in its `fields`. "
                                        "Received a member that it does not list.");
    return detail::make_scheduled<T>(detail::erased<T, Passes, false>(as_written(), set),
                                     {found - 1, static_cast<double>(this->*member), asked(schedule), detail::reads_loss<Schedule>},
                                     text());
  }

private:
  [[nodiscard]] const Transform& as_written() const { return *this; }
  static constexpr auto asked(const Schedule& schedule) {
    return [schedule](const context& c) {
      if constexpr (has_fields<Schedule>) check_fields(name_of(schedule), schedule);
      return schedule.at(c);
    };
  }
};

/// The transform with a schedule for one of its fields. The schedule changes the field's value as it would change a
/// learning rate. A value outside the field's range is refused before the step. A whole-number field gets the nearest
/// whole number. Scratch memory is allocated for the first value. To schedule several fields, nest `scheduled`.
///
///     auto c = scheduled(&nesterov_ema::beta, linear{.steps = 1000, .final = 0.9}, nesterov_ema{.beta = 0.95});
template <class Owner, class Value, class Schedule, class Transform = Owner>
  requires std::derived_from<Transform, Owner>
constexpr auto scheduled(Value Owner::*member, Schedule schedule, Transform transform = {}) {
  static_assert(contextual<Schedule> && states_of<Schedule>::scalars == 0,
                "thalweg: scheduled(&transform::field, schedule) takes a schedule: a contextual transform without "
                "state");
  static_assert(!recipe<Transform>, "thalweg: scheduled(&transform::field, schedule) takes a field of a transform, "
                                     "not of a recipe");
  static_assert(detail::fields_may_move(detail::traits_of<Transform>()),
                "thalweg: a schedule may not change the fields of a transform that gathers or skips "
                "steps, or computes x from them");
  static_assert(has_fields<Transform>, "thalweg: scheduled(&transform::field, schedule) needs a transform that lists its "
                                       "members in `fields`");
  return scheduled_transform<Transform, Value Owner::*, Schedule>{std::move(transform), member, std::move(schedule)};
}

}  // namespace thalweg
