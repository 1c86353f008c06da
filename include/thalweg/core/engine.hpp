// How an optimizer binds and steps: the only code of thalweg that writes parameters and state.
#pragma once

#include <thalweg/core/optimizer.hpp>

namespace thalweg {

namespace detail {

struct nothing {};

/// A barrier's position, prepared: the context there, and how a transform that reduces does.
template <class Reduce = nothing>
struct barrier_at {
  context seen;
  Reduce reduce;
};

// What `at` returned, without the new scalars, which replace the old ones.
template <std::size_t N, class Value>
constexpr Value take(Value value, double*) {
  static_assert(N == 0, "thalweg: at(context, scalars...) must return next(..., scalars...), a double for each scalar");
  return value;
}
template <std::size_t N, class Value, class... Scalars>
constexpr Value take(next_t<Value, Scalars...> result, double* scalars) {
  static_assert(N == sizeof...(Scalars),
                "thalweg: at(context, scalars...) must return next(..., scalars...), a double for each scalar");
  std::apply([&](auto... s) { ((*scalars++ = s), ...); }, result.states);
  return result.value;
}

template <std::size_t N, class Transform>
constexpr auto call_at(const Transform& t, const context& c, double* scalars) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return take<N>(t.at(c, scalars[I]...), scalars);
  }(std::make_index_sequence<N>());
}

/// Once a step: what `at` makes of the context at one position. A kernel, or what a barrier needs later.
template <class Plan, std::size_t Position, class Leaves>
auto prepare_position(const Leaves& leaves, context& c, double* scalars) {
  using transform = typename Plan::template transform_at<Position>;
  const auto& t = std::get<Plan::leaf[Position]>(leaves);
  [[maybe_unused]] double* own = scalars + Plan::sum(Plan::scalars, Position);
  if constexpr (contextual<transform>) {
    c = call_at<Plan::scalars[Position]>(t, c, own);
    return nothing{};
  } else if constexpr (elementwise<transform>) {
    auto kernel = call_at<Plan::scalars[Position]>(t, c, own);
    if constexpr (requires { { t.pass_on(c) } -> std::same_as<context>; }) c = t.pass_on(c);
    return bound_kernel<Plan::arrays[Position], decltype(kernel), gate<transform>>{kernel};
  } else if constexpr (reducing<transform>) {
    using reduction = bound_reduction<sums_of<transform>, decltype(t.reduce(c))>;
    return barrier_at<reduction>{c, {t.reduce(c)}};
  } else {
    if constexpr (requires { t.check(c); }) t.check(c);
    return barrier_at<>{c, {}};
  }
}

/// The lr in which a path ends: only the contextual transforms run, on a copy of the scalars.
template <class Plan, class Leaves, std::size_t N>
double last_lr(const Leaves& leaves, context c, std::array<double, N> scalars) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto pass = [&]<std::size_t Position>() {
      using transform = typename Plan::template transform_at<Position>;
      if constexpr (contextual<transform>)
        c = call_at<Plan::scalars[Position]>(std::get<Plan::leaf[Position]>(leaves), c,
                                             scalars.data() + Plan::sum(Plan::scalars, Position));
    };
    (pass.template operator()<I>(), ...);
  }(std::make_index_sequence<Plan::positions>());
  return c.lr;
}

template <class Plan, class Leaves>
auto prepare(const Leaves& leaves, context c, double* scalars) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::tuple{prepare_position<Plan, I>(leaves, c, scalars)...};  // braces: in the order of the path
  }(std::make_index_sequence<Plan::positions>());
}

/// What the transform at a position sums up over the elements [begin, end) of a parameter.
template <class Plan, std::size_t Position, class Passes, class T, class Prepared, class Parameter>
auto reduce_at(const Passes& passes, const Prepared& prepared, const Parameter& p, const T* gradient, const T* update,
               std::size_t begin, std::size_t end) {
  const T* const seen = Plan::gradient_at(Position, p, gradient);
  const T* const reduced = Plan::changed_before(Position) ? update : seen;
  return passes.reduce(end - begin, reduced + begin, seen + begin, p.data + begin, std::get<Position>(prepared).reduce);
}

/// A stage's pass over memory.
template <class Plan, bool Fused, std::size_t Stage>
struct stage_pass {
  static constexpr stage place = Plan::template stages<Fused>.list[Stage];
  static constexpr bool ends = place.end == Plan::positions;
  static constexpr kind barrier = Plan::kinds[ends ? place.end - 1 : place.end];
  static constexpr traffic moves{
      .from_gradient = !Plan::changed_before(place.begin), .writes_update = !ends, .writes_parameter = ends};
  static constexpr bool exists = Plan::has_kernels(place) || (moves.from_gradient && barrier == kind::tensorwise);

  /// Its kernels, in the order of the path.
  template <class Leaves, class Prepared, class Measured>
  static auto kernels(const Leaves& leaves, const Prepared& prepared, const Measured& measured) {
    const auto kernel_at = [&]<std::size_t Position>() {
      if constexpr (Plan::kinds[Position] == kind::elementwise) {
        return std::tuple{std::get<Position>(prepared)};
      } else if constexpr (reduces(Plan::kinds[Position])) {
        constexpr std::size_t sums = sums_of<typename Plan::template transform_at<Position>>;
        const auto kernel = at_sums(std::make_index_sequence<sums>(), std::get<Plan::leaf[Position]>(leaves),
                                    std::get<Position>(prepared).seen, std::get<Plan::leaf[Position]>(measured));
        return std::tuple{bound_kernel<Plan::arrays[Position], std::remove_const_t<decltype(kernel)>>{kernel}};
      } else {
        return std::tuple{};
      }
    };
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::tuple_cat(kernel_at.template operator()<place.begin + I>()...);
    }(std::make_index_sequence<place.end - place.begin>());
  }
};

/// The elements [begin, end) of a parameter on their way through a stage, and over the parameter's own barrier that
/// ends it. `measured`: the sums at each leaf.
template <class Plan, std::size_t Stage, class Passes, class T, class Leaves, class Prepared, class Measured,
          class Parameter>
void run_stage(const Passes& passes, const Leaves& leaves, const Prepared& prepared, Measured& measured,
               const Parameter& p, const T* gradient, T* update, std::span<T> scratch, std::size_t begin,
               std::size_t end) {
  using pass = stage_pass<Plan, Passes::fused, Stage>;
  constexpr stage s = pass::place;
  if constexpr (pass::exists) {
    const arrays<T> a{Plan::gradient_at(s.begin, p, gradient), update, p.data,
                      p.states.data() + Plan::sum(Plan::arrays, s.begin), begin};
    std::apply([&](const auto&... k) { passes.template run<pass::moves>(end - begin, a, k...); },
               pass::kernels(leaves, prepared, measured));
  }
  if constexpr (!pass::ends && pass::barrier == kind::tensorwise) {
    using transform = typename Plan::template transform_at<s.end>;
    static_assert(tensorwise_of<transform, T>,
                  "thalweg: a tensor-wise transform of this chain does not take tensors of the parameters' type");
    const auto view = [&](auto* data) {
      tensor<std::remove_pointer_t<decltype(data)>> t{data, p.info.shape, p.info.order, p.info.name};
      if constexpr (requires { p.info.begin; }) t.begin = p.info.begin;  // a block's, inside a combinator
      return t;
    };
    const whole<T> given{view(update), view(Plan::gradient_at(s.end, p, gradient)), view(static_cast<const T*>(p.data))};
    call_apply(array_indices<transform>(), std::get<Plan::leaf[s.end]>(leaves), std::get<s.end>(prepared).seen, given,
               scratch, [&](std::size_t j) {
                 const std::size_t state = Plan::sum(Plan::arrays, s.end) + j;
                 return tensor<T>{p.states[state], p.state_shapes[state], p.info.order, p.info.name};
               });
  } else if constexpr (!pass::ends && pass::barrier == kind::parameterwise) {
    std::get<Plan::leaf[s.end]>(measured) =
        reduce_at<Plan, s.end>(passes, prepared, p, gradient, update, begin, end);
  }
}

template <class Leaf, class T>
constexpr bool may_throw() {
  if constexpr (contextual<Leaf> || elementwise<Leaf> || !tensorwise_of<Leaf, T>) return false;
  else return !noexcept(call_apply(array_indices<Leaf>(), std::declval<const Leaf&>(), std::declval<const context&>(),
                                   std::declval<whole<T>>(), std::span<T>(), some_state<T>()));
}

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

/// The step's weight in a path's average, by the lr in which the path ends.
inline void add_weight(context& c, const options& o, double last_lr, double& weight_sum) {
  if (last_lr - last_lr != 0) throw error("step", "Expected schedules that leave lr finite. Received ", last_lr, ".");
  const double weight = weight_of_step(c.step, last_lr, o.weight_lr_power, o.r);
  weight_sum += weight;
  if (weight_sum > 0) c.average_weight = weight / weight_sum;  // else nothing has moved, and any will do
}

template <std::size_t N>
void add_to(std::array<double, N>& total, const std::array<double, N>& part) {
  for (std::size_t k = 0; k < N; ++k) total[k] += part[k];
}

}  // namespace detail

// ---- binding --------------------------------------------------------------------------------------

template <class Chain, class T, class Passes>
optimizer<Chain, T, Passes>::optimizer(const options& o, const Chain& chain, std::vector<parameter<T>>& parameters,
                                       Passes passes)
    : passes_(passes), leaves_(std::tuple_cat(detail::leaves(chain), std::tuple<apply_update>())),
      text_(to_text(chain)), options_(o) {
  check_fields("optimizer", options_);
  plan::for_each_leaf([&](auto l) { detail::check_leaf<T>(std::get<l>(leaves_)); });
  bind(chain, parameters);
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
  allocate_states();
  share_out();
}

template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::bind(const Chain& chain, std::vector<parameter<T>>& parameters) {
  std::vector<parameter_info> infos;
  std::vector<const void*> data;
  for (auto& p : parameters) {
    infos.push_back({std::move(p.name), std::move(p.shape), p.role, p.order});
    data.push_back(p.data);
  }
  detail::check_parameters(infos, data, sizeof(T));

  for (std::size_t i = 0; i < infos.size(); ++i) {
    detail::bound_parameter<T> p{.info = std::move(infos[i]), .data = parameters[i].data};
    p.size = p.info.size();
    p.path = detail::select(chain, p.info);
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
    store_->parameters.push_back(std::move(p));
  }
  gradients_ = detail::given_gradients<T>(*store_);
}

template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::allocate_states() {
  auto& store = *store_;
  for (const auto& p : store.parameters)
    for (const auto& shape : p.state_shapes) store.state_elements += detail::padded<T>(element_count(shape));
  store.states = detail::allocate<T>(store.state_elements);
  T* free = store.states.get();
  for (auto& p : store.parameters)
    plan::on_path(p.path, [&](auto index) {
      plan::template path_at<index>::for_each_slot(leaves_, [&]<class Slot>(const auto& transform, Slot) {
        if constexpr (Slot::kind == slot_kind::array) {
          const std::size_t size = element_count(p.state_shapes[p.states.size()]);
          for (std::size_t i = 0; i < size; ++i)
            free[i] = Slot::initial(transform, Slot::of_its_shape ? p.data[i] : T(0));
          p.states.push_back(free);
          free += detail::padded<T>(size);
        }
      });
    });
}

template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::share_out() {
  const auto& parameters = store_->parameters;
  std::vector<const parameter_info*> infos;
  for (const auto& p : parameters) infos.push_back(&p.info);
  plan::for_each_phase([&](auto phase) {
    plan::for_each_path([&](auto path) {
      constexpr auto part = plan::template part_of<path, phase>;
      if constexpr (part.takes_part) detail::add_tasks(tasks_[phase], path, members_[path], infos, part.whole_tensors);
    });
    partial_sums_.resize(std::max(partial_sums_.size(), tasks_[phase].size()));
  });

  // An update that waits at a model-wise barrier has memory of its own, all others take turns in their worker's.
  std::vector<std::size_t> own(parameters.size(), 0);
  std::size_t shared = 0, scratch = 0;
  plan::for_each_path([&](auto index) {
    using path = typename plan::template path_at<index>;
    constexpr bool waits = [] {
      for (std::size_t i = 0; i < path::positions; ++i)
        if (path::kinds[i] == detail::kind::modelwise && path::changed_before(i)) return true;
      return false;
    }();
    for (const std::size_t i : members_[index]) {
      if (waits) own[i] = detail::padded<T>(parameters[i].size);
      else if (path::template crosses_memory<Passes::fused>()) shared = std::max(shared, detail::padded<T>(parameters[i].size));
      path::for_each_transform(leaves_, [&](const auto& t) {
        if constexpr (requires { t.scratch(parameters[i].info); })
          scratch = std::max(scratch, detail::padded<T>(t.scratch(parameters[i].info)));
      });
    }
  });
  std::size_t most_tasks = 1;
  for (const auto& tasks : tasks_) most_tasks = std::max(most_tasks, tasks.size());
  work_ = detail::workspace<T>(own, shared, scratch, detail::worker_count(options_.parallel, most_tasks));
  constexpr bool can_throw = []<class... L>(std::tuple<L...>*) {
    return (detail::may_throw<L, T>() || ...);
  }(static_cast<typename plan::leaves_type*>(nullptr));
  if constexpr (can_throw) rollback_.resize(detail::size_to_put_back(*store_));
}

// ---- stepping -------------------------------------------------------------------------------------

template <class Chain, class T, class Passes>
template <std::size_t Path>
auto optimizer<Chain, T, Passes>::prepare(std::tuple_element_t<Path, typename plan::scalars_type>& scalars,
                                         double& weight_sum, const step_inputs& inputs) const {
  using path = typename plan::template path_at<Path>;
  context c = detail::context_of_step(options_, steps_ + 1, inputs);
  detail::add_weight(c, options_, detail::last_lr<path>(leaves_, c, scalars), weight_sum);
  return detail::prepare<path>(leaves_, c, scalars.data());
}

template <class Chain, class T, class Passes>
step_report optimizer<Chain, T, Passes>::take_step(std::size_t gradient_count, const step_inputs& given) {
  auto& store = *store_;
  gradients_.check_count(gradient_count);

  constexpr bool may_stop = plan::stopping_leaf < plan::leaf_count;
  if (may_stop && !detail::has_finite_loss(given)) return {.taken = false};
  plan::for_each_path([&](auto index) {
    if (!members_[index].empty())
      plan::template path_at<index>::for_each_transform(leaves_, [&]<class Leaf>(const Leaf& leaf) {
        if constexpr (detail::reads_loss<Leaf>) detail::check_loss(name_of(leaf), given);
      });
  });
  detail::gathered_losses losses = gathered_losses_;  // of all the calls that a gate makes one step of
  const step_inputs inputs = losses.take(given);

  auto scalars = scalars_;
  auto weight_sums = weight_sums_;
  const auto prepared = [&]<std::size_t... P>(std::index_sequence<P...>) {
    const auto prepare_path = [&]<std::size_t Path>() {  // one that no parameter takes has no say
      std::optional<decltype(prepare<Path>(std::get<Path>(scalars), weight_sums[Path], inputs))> kernels;
      if (!members_[Path].empty()) kernels.emplace(prepare<Path>(std::get<Path>(scalars), weight_sums[Path], inputs));
      return kernels;
    };
    return std::make_tuple(prepare_path.template operator()<P>()...);
  }(std::make_index_sequence<plan::path_count>());

  measures measured{};
  const auto run_phase = [&](auto phase) {
    const auto& tasks = tasks_[phase];
    const auto run_task = [&](std::size_t number, std::size_t worker_number) {
      const detail::task& t = tasks[number];
      const auto& w = work_.workers[worker_number];
      measures seen = measured;
      plan::on_path(t.path, [&](auto index) {
        using path = typename plan::template path_at<index>;
        constexpr auto part = plan::template part_of<index, phase>;
        if constexpr (part.takes_part)
          for (std::size_t member = t.first; member < t.last; ++member) {
            const std::size_t i = members_[index][member];
            const auto& p = store.parameters[i];
            const std::size_t begin = t.begin, end = t.end ? t.end : p.size;
            T* const update = work_.waiting[i] ? work_.waiting[i] : w.update;
            [&]<std::size_t... S>(std::index_sequence<S...>) {
              (detail::run_stage<path, part.first + S>(passes_, leaves_, *std::get<index>(prepared), seen, p,
                                                       gradients_[i], update, w.scratch, begin, end), ...);
            }(std::make_index_sequence<part.last - part.first>());
            if constexpr (part.reduction < path::positions)
              detail::add_to(std::get<path::leaf[part.reduction]>(seen),
                             detail::reduce_at<path, part.reduction>(passes_, *std::get<index>(prepared), p,
                                                                     gradients_[i], update, begin, end));
          }
      });
      partial_sums_[number] = seen;
    };
    detail::run_tasks(tasks, options_.parallel, work_.workers.size(), detail::task_body(run_task));
    for (std::size_t i = 0; i < tasks.size(); ++i)
      detail::add_to(std::get<plan::phases[phase]>(measured), std::get<plan::phases[phase]>(partial_sums_[i]));
  };
  if constexpr (may_stop) {  // nothing is written before
    static_assert(plan::phases[0] == plan::stopping_leaf);
    run_phase(std::integral_constant<std::size_t, 0>());
    const auto& leaf = std::get<plan::stopping_leaf>(leaves_);
    if (!leaf.proceeds(std::get<plan::stopping_leaf>(measured)[0])) {
      step_report report{.taken = false};
      for (std::size_t i = 0; i < store.parameters.size() && report.parameter.empty(); ++i)
        plan::on_path(store.parameters[i].path, [&](auto index) {
          using path = typename plan::template path_at<index>;
          const auto& p = store.parameters[i];
          const auto sums = detail::reduce_at<path, path::position_of(plan::stopping_leaf)>(
              passes_, *std::get<index>(prepared), p, gradients_[i], gradients_[i], 0, p.size);
          if (!leaf.proceeds(sums[0])) report.parameter = p.info.name;
        });
      return report;
    }
  }
  if constexpr (plan::gate_leaf < plan::leaf_count) {
    if (!std::get<plan::gate_leaf>(leaves_).opens(calls_ + 1)) {
      absorb();
      ++calls_;
      gathered_losses_ = losses;
      return {.taken = false};
    }
  }
  const auto run_phases = [&] {
    plan::for_each_phase([&](auto phase) {
      if constexpr (!may_stop || phase > 0) run_phase(phase);
    });
  };
  detail::or_put_back(store, rollback_, run_phases);  // a function of the user's may throw in mid-step

  scalars_ = scalars;
  weight_sums_ = weight_sums;
  ++steps_;
  ++calls_;
  gathered_losses_ = {};
  return {};
}

// A step that the gate swallows: its own states take the gradients in, and nothing else happens.
template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::absorb() {
  if constexpr (plan::gate_leaf < plan::leaf_count) {
    const auto& tasks = tasks_.back();
    const auto run_task = [&](std::size_t task_number, std::size_t) {
      const detail::task& t = tasks[task_number];
      plan::on_path(t.path, [&](auto index) {
        using path = typename plan::template path_at<index>;
        constexpr std::size_t position = path::position_of(plan::gate_leaf);
        const auto kernel = std::get<plan::gate_leaf>(leaves_).absorb(calls_ + 1);
        const detail::bound_kernel<path::arrays[position], std::remove_const_t<decltype(kernel)>> bound{kernel};
        constexpr detail::traffic traffic{.from_gradient = true, .writes_update = false, .writes_parameter = false};
        for (std::size_t member = t.first; member < t.last; ++member) {
          const std::size_t i = members_[index][member];
          const auto& p = store_->parameters[i];
          const detail::arrays<T> a{gradients_[i], nullptr, p.data, p.states.data() + path::sum(path::arrays, position),
                                    t.begin};
          passes_.template run<traffic>((t.end ? t.end : p.size) - t.begin, a, bound);
        }
      });
    };
    detail::run_tasks(tasks, options_.parallel, work_.workers.size(), detail::task_body(run_task));
  }
}

// ---- evaluating -----------------------------------------------------------------------------------

namespace detail {
template <class Average>
struct average_kernel {  // x as an update, so that an ordinary pass computes it
  Average average;
  template <class T, class... States>
  constexpr auto operator()(element<T> e, States... states) const {
    return next(T(average(e, states...)), states...);
  }
};

inline constexpr traffic average_traffic{
    .from_gradient = true, .writes_update = true, .writes_parameter = false, .writes_states = false};

/// Throws where there is none.
template <class Plan, class Leaves, std::size_t N>
auto average_of(const Leaves& leaves, const std::array<double, N>& scalars) {
  constexpr std::size_t last = Plan::positions - 1;
  const auto average = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::get<Plan::leaf[last]>(leaves).average(scalars[Plan::sum(Plan::scalars, last) + I]...);
  }(std::make_index_sequence<Plan::scalars[last]>());
  using kernel = average_kernel<std::remove_const_t<decltype(average)>>;
  return bound_kernel<Plan::arrays[last], kernel>{kernel{average}};
}
}  // namespace detail

template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::check_averages(std::optional<std::size_t> only_path) const {
  if (steps_ == 0) return;  // x is y
  plan::for_each_path([&](auto index) {
    using path = typename plan::template path_at<index>;
    if constexpr (averaging<typename path::template transform_at<path::positions - 1>>)
      if (!members_[index].empty() && (!only_path || *only_path == index))
        detail::average_of<path>(leaves_, std::get<index>(scalars_));
  });
}

template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::average_into(std::size_t i, T* out) const {
  const auto& p = store_->parameters[i];
  if (!p.averaged || steps_ == 0) {
    if (out != p.data) std::copy_n(p.data, p.size, out);
    return;
  }
  plan::for_each_path([&](auto index) {
    using path = typename plan::template path_at<index>;
    constexpr std::size_t last = path::positions - 1;
    if constexpr (averaging<typename path::template transform_at<last>>)
      if (p.path == index) {
        const detail::arrays<T> a{p.data, out, p.data, p.states.data() + path::sum(path::arrays, last)};
        passes_.template run<detail::average_traffic>(
            p.size, a, detail::average_of<path>(leaves_, std::get<index>(scalars_)));
      }
  });
}

// ---- saving and loading ---------------------------------------------------------------------------

template <class Chain, class T, class Passes>
detail::progress optimizer<Chain, T, Passes>::progress() const {
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

template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::adopt(const detail::progress& loaded) noexcept {
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

template <class Chain, class T, class Passes>
std::string optimizer<Chain, T, Passes>::describe() const {
  detail::description d;
  d.header = in_words(std::is_same_v<T, float> ? "float32" : "float64", ", step ", steps_, ", ", options_,
                      passes_.text.empty() ? "" : ", ", passes_.text);
  std::array<std::string, plan::path_count> names;
  plan::for_each_path([&](auto index) {
    using path = typename plan::template path_at<index>;
    detail::description::path entry;
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
  for (const auto& p : store_->parameters) {
    std::size_t state_elements = 0;
    for (const auto& shape : p.state_shapes) state_elements += element_count(shape);
    d.rows.push_back({p.info.name, to_text(std::span(p.info.shape)), std::string(to_text(p.info.role)), names[p.path],
                      p.state_names, state_elements * sizeof(T)});
    d.parameter_bytes += p.size * sizeof(T);
    d.state_bytes += d.rows.back().bytes;
  }
  d.scratch_bytes = work_.elements * sizeof(T);
  d.rollback_bytes = rollback_.size() * sizeof(T);
  return detail::table(d);
}

}  // namespace thalweg
