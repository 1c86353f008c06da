// A chain that has met parameters: what its steps are, whoever moves the memory. It knows every number that is computed
// once a step, and touches no array.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <thalweg/core/binding.hpp>
#include <thalweg/core/checkpoint.hpp>
#include <thalweg/core/describe.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/plan.hpp>
#include <thalweg/core/prepare.hpp>
#include <thalweg/core/step.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg::detail {

/// A transform's fields, and those of the transforms in a combinator.
template <class T, class Leaf>
void check_leaf(const Leaf& leaf) {
  if constexpr (has_fields<Leaf>) check_fields<T>(name_of(leaf), leaf);
  if constexpr (requires { leaf.leaves(); })
    std::apply([](const auto&... inner) { (check_leaf<T>(inner), ...); }, leaf.leaves());
}

/// The context that a path begins with.
inline context context_of_step(const options& o, long step, const step_inputs& inputs) {
  const double warm = o.warmup_steps > 0 ? std::min(1.0, double(step) / double(o.warmup_steps)) : 1.0;
  return {.step = step,
          .lr = o.lr * warm,
          .weight_decay = o.weight_decay,
          .warmup_steps = o.warmup_steps,
          .loss = inputs.loss};
}

inline options with_lr(options o, double lr) {
  o.lr = lr;
  check_fields("optimizer", o);
  return o;
}

/// The step's weight in a path's average, by the lr in which the path ends.
inline void add_weight(context& c, const options& o, double last_lr, double& weight_sum) {
  if (last_lr - last_lr != 0) throw error("step", "Expected schedules that leave lr finite. Received ", last_lr, ".");
  const double weight = weight_of_step(c.step, last_lr, o.weight_lr_power, o.r);
  weight_sum += weight;
  if (weight_sum > 0) c.average_weight = weight / weight_sum;  // else nothing has moved, and any will do
}

template <class Chain, class T, bool Fused>
class bound_chain {
public:
  using plan = detail::plan<Chain, Fused>;
  using leaves_type = typename plan::leaves_type;
  static constexpr bool may_stop = plan::stopping_leaf < plan::leaf_count;
  static constexpr bool has_gate = plan::gate_leaf < plan::leaf_count;

private:
  template <class... Paths>
  static auto prepared(std::tuple<Paths...>*)
      -> std::tuple<std::optional<decltype(detail::prepare<Paths>(std::declval<const leaves_type&>(), context(),
                                                                  static_cast<double*>(nullptr)))>...>;

public:
  /// Throws where a hyper-parameter, a shape or a parameter is not what it must be. `bound` becomes the parameters with
  /// their paths and states, but for the memory of these.
  bound_chain(const options& o, const Chain& chain, std::vector<parameter<T>>& given,
              std::vector<bound_parameter<T>>& bound);

  [[nodiscard]] const leaves_type& leaves() const { return leaves_; }
  [[nodiscard]] const options& settings() const { return options_; }
  [[nodiscard]] long steps() const { return steps_; }
  /// The parameters that take a path.
  [[nodiscard]] const std::vector<std::size_t>& members(std::size_t path) const { return members_[path]; }
  void lr(double lr);

  /// f(elements, initial) for each state array of a parameter, with `initial(parameter, i)` for its i-th number.
  template <class F>
  void for_each_array(const bound_parameter<T>& p, F f) const;

  /// The step that is next: what a chain's transforms make of it along each path, and what the chain knows after it.
  struct step {
    gathered_losses losses;  ///< of all the calls that a gate makes one step of
    typename plan::scalars_type scalars;
    std::array<double, plan::path_count> weight_sums;
    decltype(prepared(static_cast<typename plan::paths*>(nullptr))) paths;  ///< nothing where no parameter takes one
  };
  /// Whether a step with such a loss is none.
  [[nodiscard]] bool skips(const step_inputs& given) const { return may_stop && !has_finite_loss(given); }
  [[nodiscard]] step prepare(const step_inputs& given) const;
  /// Whether the sum over all gradients lets the step go on; where there is a `when_finite`.
  [[nodiscard]] bool proceeds(double sum) const { return std::get<plan::stopping_leaf>(leaves_).proceeds(sum); }
  /// Whether a gate lets this call go on. Where not, its own states take the gradients in, by `absorbing`.
  [[nodiscard]] bool opens() const;
  template <std::size_t Path>
  [[nodiscard]] auto absorbing() const;
  void swallowed(const step& s) noexcept;
  void taken(const step& s) noexcept;

  /// Throws where x is asked for and lost: on one path, or on any that a parameter takes.
  void check_averages(std::optional<std::size_t> only_path = {}) const;
  /// f(path, kernel) with the kernel that recovers x; false, and no f, where x is y.
  template <class F>
  bool on_average(const bound_parameter<T>& p, F f) const;

  [[nodiscard]] detail::progress progress() const;
  void adopt(const detail::progress& loaded) noexcept;

  /// All but what the engine has for itself: `run_by` names it in the header.
  [[nodiscard]] description describe(std::span<const bound_parameter<T>> parameters, std::string_view run_by) const;

private:
  template <std::size_t Path>
  auto prepare(std::tuple_element_t<Path, typename plan::scalars_type>& scalars, double& weight_sum,
               const step_inputs& inputs) const;

  leaves_type leaves_;
  std::string text_;  ///< the chain's
  options options_;
  long steps_ = 0;
  long calls_ = 0;  ///< of `step`, where a gate swallows some
  gathered_losses gathered_losses_{};
  std::array<double, plan::path_count> weight_sums_{};
  typename plan::scalars_type scalars_{};  ///< one array a path
  std::array<std::vector<std::size_t>, plan::path_count> members_;
};

template <class Chain, class T, bool Fused>
bound_chain<Chain, T, Fused>::bound_chain(const options& o, const Chain& chain, std::vector<parameter<T>>& given,
                                          std::vector<bound_parameter<T>>& bound)
    : leaves_(std::tuple_cat(detail::leaves(chain), std::tuple<apply_update>())), text_(to_text(chain)), options_(o) {
  check_fields("optimizer", options_);
  plan::for_each_leaf([&](auto l) { check_leaf<T>(std::get<l>(leaves_)); });

  std::vector<parameter_info> infos;
  std::vector<const void*> data;
  for (auto& p : given) {
    infos.push_back({std::move(p.name), std::move(p.shape), p.role, p.order});
    data.push_back(p.data);
  }
  check_parameters(infos, data, sizeof(T));

  for (std::size_t i = 0; i < infos.size(); ++i) {
    bound_parameter<T> p{.info = std::move(infos[i]), .data = given[i].data};
    p.size = p.info.size();
    p.path = select(chain, p.info);
    members_[p.path].push_back(i);
    plan::on_path(p.path, [&](auto index) {
      using path = typename plan::template path_at<index>;
      path::for_each_transform(leaves_, [&](const auto& t) {
        if constexpr (requires { t.check(p.info); }) t.check(p.info);
      });
      path::for_each_slot(leaves_, [&]<class Slot>(const auto& t, Slot) {
        if constexpr (Slot::kind == slot_kind::array)
          p.add_state(name_of(t), Slot::name, Slot::shape(t, p.info), Slot::of_its_shape);
      });
      p.averaged = averaging<typename path::template transform_at<path::positions - 1>>;
    });
    bound.push_back(std::move(p));
  }

  plan::for_each_path([&](auto p) {  // whatever `at` refuses, it refuses here
    using path = typename plan::template path_at<p>;
    double* next = std::get<p>(scalars_).data();
    path::for_each_slot(leaves_, [&]<class Slot>(const auto& transform, Slot) {
      if constexpr (Slot::kind == slot_kind::scalar) *next++ = Slot::initial(transform);
    });
    if (members_[p].empty()) return;
    auto scalars = std::get<p>(scalars_);
    double weight_sum = 0;
    prepare<p>(scalars, weight_sum, {.loss = 1});
  });
}

template <class Chain, class T, bool Fused>
void bound_chain<Chain, T, Fused>::lr(double lr) {
  options_ = with_lr(options_, lr);
}

template <class Chain, class T, bool Fused>
template <class F>
void bound_chain<Chain, T, Fused>::for_each_array(const bound_parameter<T>& p, F f) const {
  plan::on_path(p.path, [&](auto index) {
    std::size_t number = 0;
    plan::template path_at<index>::for_each_slot(leaves_, [&]<class Slot>(const auto& transform, Slot) {
      if constexpr (Slot::kind == slot_kind::array)
        f(element_count(p.state_shapes[number++]), [&](const T* parameter, std::size_t i) {
          return Slot::initial(transform, Slot::of_its_shape ? parameter[i] : T(0));
        });
    });
  });
}

// ---- stepping -------------------------------------------------------------------------------------

/// What a path's transforms make of the next step; replaces the scalars and adds the step's weight to its sum.
template <class Chain, class T, bool Fused>
template <std::size_t Path>
auto bound_chain<Chain, T, Fused>::prepare(std::tuple_element_t<Path, typename plan::scalars_type>& scalars,
                                           double& weight_sum, const step_inputs& inputs) const {
  using path = typename plan::template path_at<Path>;
  context c = context_of_step(options_, steps_ + 1, inputs);
  add_weight(c, options_, last_lr<path>(leaves_, c, scalars), weight_sum);
  return detail::prepare<path>(leaves_, c, scalars.data());
}

template <class Chain, class T, bool Fused>
auto bound_chain<Chain, T, Fused>::prepare(const step_inputs& given) const -> step {
  plan::for_each_path([&](auto index) {
    if (!members_[index].empty())
      plan::template path_at<index>::for_each_transform(leaves_, [&]<class Leaf>(const Leaf& leaf) {
        if constexpr (reads_loss<Leaf>) check_loss(name_of(leaf), given);
      });
  });
  step s{.losses = gathered_losses_, .scalars = scalars_, .weight_sums = weight_sums_, .paths = {}};
  const step_inputs inputs = s.losses.take(given);
  plan::for_each_path([&](auto index) {
    if (!members_[index].empty())
      std::get<index>(s.paths).emplace(prepare<index>(std::get<index>(s.scalars), s.weight_sums[index], inputs));
  });
  return s;
}

template <class Chain, class T, bool Fused>
bool bound_chain<Chain, T, Fused>::opens() const {
  if constexpr (has_gate) return std::get<plan::gate_leaf>(leaves_).opens(calls_ + 1);
  else return true;
}

template <class Chain, class T, bool Fused>
template <std::size_t Path>
auto bound_chain<Chain, T, Fused>::absorbing() const {
  using path = typename plan::template path_at<Path>;
  const auto kernel = std::get<plan::gate_leaf>(leaves_).absorb(calls_ + 1);
  return bound_kernel<path::arrays[path::position_of(plan::gate_leaf)], std::remove_const_t<decltype(kernel)>>{kernel};
}

template <class Chain, class T, bool Fused>
void bound_chain<Chain, T, Fused>::swallowed(const step& s) noexcept {
  ++calls_;
  gathered_losses_ = s.losses;
}

template <class Chain, class T, bool Fused>
void bound_chain<Chain, T, Fused>::taken(const step& s) noexcept {
  scalars_ = s.scalars;
  weight_sums_ = s.weight_sums;
  ++steps_;
  ++calls_;
  gathered_losses_ = {};
}

// ---- evaluating -----------------------------------------------------------------------------------

template <class Chain, class T, bool Fused>
void bound_chain<Chain, T, Fused>::check_averages(std::optional<std::size_t> only_path) const {
  if (steps_ == 0) return;  // x is y
  plan::for_each_path([&](auto index) {
    using path = typename plan::template path_at<index>;
    if constexpr (averaging<typename path::template transform_at<path::positions - 1>>)
      if (!members_[index].empty() && (!only_path || *only_path == index))
        average_of<path>(leaves_, std::get<index>(scalars_));
  });
}

template <class Chain, class T, bool Fused>
template <class F>
bool bound_chain<Chain, T, Fused>::on_average(const bound_parameter<T>& p, F f) const {
  if (!p.averaged || steps_ == 0) return false;
  plan::on_path(p.path, [&](auto index) {
    using path = typename plan::template path_at<index>;
    if constexpr (averaging<typename path::template transform_at<path::positions - 1>>)
      f(index, average_of<path>(leaves_, std::get<index>(scalars_)));
  });
  return true;
}

// ---- saving and loading ---------------------------------------------------------------------------

template <class Chain, class T, bool Fused>
detail::progress bound_chain<Chain, T, Fused>::progress() const {
  detail::progress now{
      .chain = text_, .settings = options_, .steps = steps_, .calls = calls_, .losses = gathered_losses_};
  plan::for_each_path([&](auto index) {
    auto& route = now.routes.emplace_back(detail::progress::route{.weight_sum = weight_sums_[index]});
    const double* next = std::get<index>(scalars_).data();
    plan::template path_at<index>::for_each_slot(leaves_, [&]<class Slot>(const auto& transform, Slot) {
      if constexpr (Slot::kind == slot_kind::scalar) route.add_scalar(name_of(transform), Slot::name, *next++);
    });
  });
  return now;
}

template <class Chain, class T, bool Fused>
void bound_chain<Chain, T, Fused>::adopt(const detail::progress& loaded) noexcept {
  options_.lr = loaded.settings.lr;
  steps_ = loaded.steps;
  calls_ = loaded.calls;
  gathered_losses_ = loaded.losses;
  plan::for_each_path([&](auto index) {
    weight_sums_[index] = loaded.routes[index].weight_sum;
    std::ranges::copy(loaded.routes[index].scalars, std::get<index>(scalars_).begin());
  });
}

// ---- describing -----------------------------------------------------------------------------------

template <class Chain, class T, bool Fused>
description bound_chain<Chain, T, Fused>::describe(std::span<const bound_parameter<T>> parameters,
                                                   std::string_view run_by) const {
  description d;
  d.header = in_words(std::is_same_v<T, float> ? "float32" : "float64", ", step ", steps_, ", ", options_,
                      run_by.empty() ? "" : ", ", run_by);
  std::array<std::string, plan::path_count> names;
  plan::for_each_path([&](auto index) {
    using path = typename plan::template path_at<index>;
    description::path entry;
    path::for_each_transform(leaves_, [&](const auto& t) {
      names[index] += in_words(names[index].empty() ? "" : " | ", name_of(t));
      entry.chain += in_words(entry.chain.empty() ? "" : " | ", text_of(t));
      if constexpr (requires { t.computed_by(); })
        if (const std::string by = t.computed_by(); !by.empty())
          entry.computed_by.push_back(in_words(name_of(t), " by ", by));
    });
    const double* next = std::get<index>(scalars_).data();
    path::for_each_slot(leaves_, [&]<class Slot>(const auto& t, Slot) {
      if constexpr (Slot::kind == slot_kind::scalar)
        entry.scalars.push_back(in_words(name_of(t), ".", Slot::name, "=", *next++));
    });
    if (!members_[index].empty()) d.paths.push_back(std::move(entry));
  });
  for (const auto& p : parameters) d.add(p, names[p.path]);
  return d;
}

}  // namespace thalweg::detail
