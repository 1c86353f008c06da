// join: one schedule after the other.
#pragma once

#include <algorithm>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

template <class Schedule>
struct schedule_for {
  long steps;
  Schedule schedule;
};

/// A part of `join`: a schedule, and for how many steps it is used.
template <contextual Schedule>
constexpr auto for_steps(long steps, Schedule schedule) {
  return schedule_for<Schedule>{steps, std::move(schedule)};
}

template <class Last, class... Parts>
struct joined_schedules {
  std::tuple<Parts...> parts;
  Last last;
  using leaves_type = std::tuple<Last, decltype(Parts::schedule)...>;
  static constexpr std::string_view name = "join";

  [[nodiscard]] std::string text() const {
    return std::apply([&](const auto&... p) {
      return call_text(name, call_text("for_steps", to_text(p.steps), text_of(p.schedule))..., text_of(last));
    }, parts);
  }

  constexpr context at(context c) const {
    const auto check = [](const auto& schedule) {
      if constexpr (has_fields<std::remove_cvref_t<decltype(schedule)>>) check_fields(name_of(schedule), schedule);
    };
    std::apply([&](const auto&... p) { (check(p.schedule), ...); }, parts);
    check(last);

    const long now = c.step;
    bool done = false;
    const auto ask = [&](const auto& schedule) {
      c = schedule.at(c);
      done = true;
    };
    const auto pass = [&](const auto& part) {  // the warm-up that it was stays one
      context end = c;
      end.step = part.steps;
      c.warmup_steps = std::max(c.warmup_steps, part.schedule.at(end).warmup_steps);
      c.step -= part.steps;
    };
    std::apply([&](const auto&... p) {
      ((check_in_range("join", "steps", static_cast<double>(p.steps), from(1)),
        done ? void() : c.step <= p.steps ? ask(p.schedule) : pass(p)), ...);
    }, parts);
    if (!done) ask(last);
    c.step = now;
    return c;
  }
};

/// Uses each schedule in turn. Its steps count from its own beginning: `join(for_steps(n, first), …, last)`
///
///     auto c = join(for_steps(100, warmup{.steps = 100}), for_steps(900, scale_lr{1}), linear{.steps = 200}) | ema{};
template <class... Schedules>
constexpr auto join(Schedules... schedules) {
  constexpr std::size_t parts = sizeof...(Schedules) - 1;
  std::tuple<Schedules...> all{std::move(schedules)...};
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    using last = std::tuple_element_t<parts, std::tuple<Schedules...>>;
    static_assert(contextual<last>, "thalweg: join(for_steps(n, schedule), ..., last) takes schedules only");
    return joined_schedules<last, std::tuple_element_t<I, std::tuple<Schedules...>>...>{
        {std::get<I>(std::move(all))...}, std::get<parts>(std::move(all))};
  }(std::make_index_sequence<parts>());
}

}  // namespace thalweg
