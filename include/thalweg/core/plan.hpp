// The rules for the order of transforms in a chain, and the division of a way into stages and phases. All of it is
// constexpr. The compiler checks a chain in C++. Binding checks a chain from text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <thalweg/core/concepts.hpp>

namespace thalweg::detail {

enum class kind { contextual, elementwise, tensorwise, parameterwise, modelwise };

template <class Transform>
constexpr kind kind_of() {
  if constexpr (modelwise<Transform>) return kind::modelwise;
  else if constexpr (parameterwise<Transform>) return kind::parameterwise;
  else if constexpr (contextual<Transform>) return kind::contextual;
  else if constexpr (elementwise<Transform>) return kind::elementwise;
  else return kind::tensorwise;
}

constexpr bool reduces(kind k) { return k == kind::parameterwise || k == kind::modelwise; }
/// Whether it has a kernel that a pass runs.
constexpr bool has_kernel(kind k) { return k == kind::elementwise || reduces(k); }

/// The properties of a transform that matter for the order of a chain.
struct traits {
  kind what = kind::contextual;
  type_id type = nullptr;
  bool ends = false;        ///< writes the parameters
  bool averages = false;    ///< keeps x
  bool stops = false;       ///< may stop a step
  bool gates = false;       ///< lets some calls of `step` pass
  bool reads_loss = false;
  bool reports_norm = false;  ///< its sum is that of the updates' squares
  bool spends_decay = false;
  type_id feeds = nullptr, reads = nullptr;
  std::size_t arrays = 0, scalars = 0, sums = 0;
};

template <class Transform>
constexpr std::size_t sum_count_of() {
  if constexpr (reducing<Transform>) return sums_of<Transform>;
  else return 0;
}

template <class Transform>
constexpr bool spends_decay() {
  if constexpr (std::is_default_constructible_v<Transform> && requires(const Transform& t, const context& c) { t.pass_on(c); })
    return Transform().pass_on(context{.step = 2, .weight_decay = 1}).weight_decay != 1;
  else return false;
}

template <class Transform>
constexpr traits traits_of() {
  traits is{.what = kind_of<Transform>(),
            .type = id_of<Transform>(),
            .ends = terminal<Transform>,
            .averages = averaging<Transform>,
            .stops = stopping<Transform>,
            .gates = gate<Transform>,
            .reads_loss = reads_loss<Transform>,
            .reports_norm = reports_the_norm<Transform>(),
            .spends_decay = spends_decay<Transform>(),
            .arrays = states_of<Transform>::arrays,
            .scalars = states_of<Transform>::scalars,
            .sums = sum_count_of<Transform>()};
  if constexpr (requires { typename Transform::feeds; }) is.feeds = id_of<typename Transform::feeds>();
  if constexpr (requires { typename Transform::reads; }) is.reads = id_of<typename Transform::reads>();
  return is;
}

/// Whether `set` and schedules may change its fields: not those of a gate, of what skips steps, nor those that recover x.
constexpr bool fields_may_move(const traits& is) { return !is.gates && !is.stops && !(is.averages && is.scalars == 0); }

// ---- what may stand where ------------------------------------------------------------------------

/// Each mistake with its message, for the compiler and for the engine.
#define THALWEG_MISTAKES(is)                                                                                              \
  is(behind_the_end, "Expected the transform that writes the parameters (apply_update, update_by_schedule_free, …) "      \
                     "at the end of its chain.")                                                                          \
  is(stop_not_first, "Expected a transform that may stop the step (when_finite) only as the first of the whole chain.")   \
  is(gate_not_first, "Expected a transform that gathers steps (accumulate) only as the first of the whole chain, or "     \
                     "behind when_finite.")                                                                               \
  is(second_gate, "Expected at most one transform that gathers steps (accumulate) in a chain.")                           \
  is(feeds_nobody, "Expected a later transform that reads the number that an earlier one passes on: "                     \
                   "update_by_schedule_free reads beta from amuse_beta.")

#define THALWEG_NAME(mistake, text) mistake,
enum class mistake { none, THALWEG_MISTAKES(THALWEG_NAME) };
#undef THALWEG_NAME

/// The mistake of a chain, and the wrong transform. If this is after the end, also the end.
struct finding {
  mistake what = mistake::none;
  std::size_t transform = 0;
  std::size_t end = 0;
};

/// A way through a chain: its transforms by their numbers, from the gradient to the parameters.
using way = std::span<const std::size_t>;

/// The position of a transform in a way; the way's length if it is not there.
constexpr std::size_t position_in(way w, std::size_t transform) {
  std::size_t i = 0;
  while (i < w.size() && w[i] != transform) ++i;
  return i;
}

/// The first transform of a chain with this trait; the number of transforms if there is none.
constexpr std::size_t first_that(std::span<const traits> chain, bool traits::*is) {
  std::size_t i = 0;
  while (i < chain.size() && !(chain[i].*is)) ++i;
  return i;
}

template <class Ways>
constexpr finding find_mistake(std::span<const traits> chain, const Ways& ways) {
  const std::size_t stop = first_that(chain, &traits::stops), gate = first_that(chain, &traits::gates);
  for (std::size_t l = gate + 1; l < chain.size(); ++l)
    if (chain[l].gates) return {mistake::second_gate, l};
  // Nothing that changes the update may stand before `leaf`, but for `beside`, which changes nothing.
  const auto is_first = [&](way w, std::size_t leaf, std::size_t beside) {
    const std::size_t at = position_in(w, leaf);
    for (std::size_t i = 0; i < at; ++i)
      if (at == w.size() || (chain[w[i]].what != kind::contextual && w[i] != beside)) return false;
    return at < w.size();
  };
  for (const way w : ways) {
    for (std::size_t i = 0; i + 1 < w.size(); ++i)
      if (chain[w[i]].ends) return {mistake::behind_the_end, w[i + 1], w[i]};
    if (stop < chain.size() && !is_first(w, stop, stop)) return {mistake::stop_not_first, stop};
    if (gate < chain.size() && !is_first(w, gate, stop)) return {mistake::gate_not_first, gate};
  }
  for (std::size_t l = 0; l < chain.size(); ++l) {
    bool read = !chain[l].feeds;
    for (const way w : ways)
      for (std::size_t i = position_in(w, l) + 1; i < w.size(); ++i) read = read || chain[w[i]].reads == chain[l].feeds;
    if (!read) return {mistake::feeds_nobody, l};
  }
  return {};
}

/// The transform whose sum is that of the squares of all gradients: it is in every way, and no transform before it
/// changes the gradients, except a gate, which takes their mean. The number of transforms if there is none.
template <class Ways>
constexpr std::size_t find_gradient_norm(std::span<const traits> chain, const Ways& ways) {
  const auto sees_gradients = [&](way w, std::size_t leaf) {
    const std::size_t at = position_in(w, leaf);
    for (std::size_t i = 0; i < at; ++i)
      if (const traits& is = chain[w[i]]; !(is.what == kind::contextual || is.stops || is.gates)) return false;
    return at < w.size();
  };
  for (std::size_t l = 0; l < chain.size(); ++l) {
    bool sees_all = chain[l].reports_norm;
    for (const way w : ways) sees_all = sees_all && sees_gradients(w, l);
    if (sees_all) return l;
  }
  return chain.size();
}

// ---- stages and phases ---------------------------------------------------------------------------

/// Positions [begin, end) of a way, run in one pass over memory; then the barrier at `end`, if the way goes on.
struct stage {
  std::size_t begin = 0, end = 0;
};

/// Calls found(stage) for each stage of a way, in their order. A transform that reduces ends the stage before it and begins
/// the next stage, where its kernel is fused with the kernels that follow.
template <class Found>
constexpr void cut(std::span<const kind> kinds, bool fused, Found found) {
  std::size_t begin = 0;
  bool kernels = false;  // in [begin, i)
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const bool barrier = kinds[i] == kind::tensorwise || reduces(kinds[i]);
    const bool kernel = kinds[i] == kind::elementwise;
    if (barrier || (!fused && kernel && kernels)) {
      found(stage{begin, i});
      begin = kinds[i] == kind::tensorwise ? i + 1 : i;
      kernels = false;
    }
    kernels |= has_kernel(kinds[i]);
  }
  found(stage{begin, kinds.size()});
}

/// A way's part in a phase: its stages [first, last), and its state at the end of the phase.
struct part {
  std::size_t first = 0, last = 0;
  std::size_t reduction = 0;   ///< the position whose sums end the phase; the way's length at the end
  bool takes_part = false;
  bool whole_tensors = false;  ///< a tensor-wise barrier or an unfused stage is inside
};

/// The part from the model-wise barrier before `to`, if there is one, up to position `to`.
constexpr part part_until(std::size_t to, std::span<const kind> kinds, std::span<const stage> cuts) {
  part p{.first = cuts.size(), .reduction = to, .takes_part = true};
  std::size_t from = 0;
  for (std::size_t i = 0; i < to; ++i)
    if (kinds[i] == kind::modelwise) from = i;
  for (std::size_t i = 0; i < cuts.size(); ++i)
    if (cuts[i].begin >= from && cuts[i].end <= to) {
      p.first = p.first < i ? p.first : i;
      p.last = i + 1;
      const bool crosses = cuts[i].end < to;  // a barrier of the parameter's own
      p.whole_tensors = p.whole_tensors || crosses;
    }
  return p;
}

}  // namespace thalweg::detail
