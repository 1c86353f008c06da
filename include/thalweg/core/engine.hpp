// How an optimizer steps in the memory of the host: the only code of thalweg that writes parameters and state there.
#pragma once

#include <thalweg/core/optimizer.hpp>
#include <thalweg/core/stage.hpp>

namespace thalweg {

namespace detail {

template <std::size_t N>
void add_to(std::array<double, N>& total, const std::array<double, N>& part) {
  for (std::size_t k = 0; k < N; ++k) total[k] += part[k];
}

}  // namespace detail

// ---- binding --------------------------------------------------------------------------------------

template <class Chain, class T, class Passes>
optimizer<Chain, T, Passes>::optimizer(const options& o, const Chain& chain, std::vector<parameter<T>>& parameters,
                                       Passes passes)
    : passes_(passes), chain_(o, chain, parameters, store_->parameters), gradients_(*store_) {
  allocate_states();
  share_out();
}

template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::allocate_states() {
  auto& store = *store_;
  for (const auto& p : store.parameters)
    for (const auto& shape : p.state_shapes) store.state_elements += detail::padded<T>(element_count(shape));
  store.states = detail::allocate<T>(store.state_elements);
  T* free = store.states.get();
  for (auto& p : store.parameters)
    chain_.for_each_array(p, [&](std::size_t size, auto initial) {
      for (std::size_t i = 0; i < size; ++i) free[i] = initial(p.data, i);
      p.states.push_back(free);
      free += detail::padded<T>(size);
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
      if constexpr (part.takes_part)
        detail::add_tasks(tasks_[phase], path, chain_.members(path), infos, part.whole_tensors);
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
    for (const std::size_t i : chain_.members(index)) {
      if (waits) own[i] = detail::padded<T>(parameters[i].size);
      else if (path::template crosses_memory<Passes::fused>()) shared = std::max(shared, detail::padded<T>(parameters[i].size));
      path::for_each_transform(chain_.leaves(), [&](const auto& t) {
        if constexpr (requires { t.scratch(parameters[i].info); })
          scratch = std::max(scratch, detail::padded<T>(t.scratch(parameters[i].info)));
      });
    }
  });
  std::size_t most_tasks = 1;
  for (const auto& tasks : tasks_) most_tasks = std::max(most_tasks, tasks.size());
  work_ = detail::workspace<T>(own, shared, scratch, detail::worker_count(chain_.settings().parallel, most_tasks));
  if constexpr (detail::one_may_throw<T>(static_cast<typename plan::leaves_type*>(nullptr)))
    rollback_.resize(detail::size_to_put_back(*store_));
}

// ---- stepping -------------------------------------------------------------------------------------

template <class Chain, class T, class Passes>
step_report optimizer<Chain, T, Passes>::take_step(std::size_t gradient_count, const step_inputs& given) {
  auto& store = *store_;
  gradients_.check_count(gradient_count);

  if (chain_.skips(given)) return {.taken = false};
  const auto prepared = chain_.prepare(given);

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
        if constexpr (part.takes_part) {
          const auto& here = *std::get<index>(prepared.paths);
          for (std::size_t member = t.first; member < t.last; ++member) {
            const std::size_t i = chain_.members(index)[member];
            const auto& p = store.parameters[i];
            const std::size_t begin = t.begin, end = t.end ? t.end : p.size;
            T* const update = work_.waiting[i] ? work_.waiting[i] : w.update;
            detail::for_each_number<part.first, part.last>([&](auto stage) {
              detail::run_stage<path, stage>(passes_, chain_.leaves(), here, seen, p, gradients_[i], update, w.scratch,
                                             begin, end);
            });
            if constexpr (part.reduction < path::positions)
              detail::add_to(std::get<path::leaf[part.reduction]>(seen),
                             detail::reduce_at<path, part.reduction>(passes_, here, p, gradients_[i], update,
                                                                     begin, end));
          }
        }
      });
      partial_sums_[number] = seen;
    };
    detail::run_tasks(tasks, chain_.settings().parallel, work_.workers.size(), detail::task_body(run_task));
    for (std::size_t i = 0; i < tasks.size(); ++i)
      detail::add_to(std::get<plan::phases[phase]>(measured), std::get<plan::phases[phase]>(partial_sums_[i]));
  };
  if constexpr (bound_chain::may_stop) {  // nothing is written before
    static_assert(plan::phases[0] == plan::stopping_leaf);
    run_phase(std::integral_constant<std::size_t, 0>());
    if (!chain_.proceeds(std::get<plan::stopping_leaf>(measured)[0])) {
      step_report report{.taken = false};
      for (std::size_t i = 0; i < store.parameters.size() && report.parameter.empty(); ++i)
        plan::on_path(store.parameters[i].path, [&](auto index) {
          using path = typename plan::template path_at<index>;
          const auto& p = store.parameters[i];
          const auto sums = detail::reduce_at<path, path::position_of(plan::stopping_leaf)>(
              passes_, *std::get<index>(prepared.paths), p, gradients_[i], gradients_[i], 0, p.size);
          if (!chain_.proceeds(sums[0])) report.parameter = p.info.name;
        });
      return report;
    }
  }
  if (!chain_.opens()) {
    absorb();
    chain_.swallowed(prepared);
    return {.taken = false};
  }
  const auto run_phases = [&] {
    plan::for_each_phase([&](auto phase) {
      if constexpr (!bound_chain::may_stop || phase > 0) run_phase(phase);
    });
  };
  detail::or_put_back(store, rollback_, run_phases);  // a function of the user's may throw in mid-step

  chain_.taken(prepared);
  return {};
}

// A step that the gate swallows: its own states take the gradients in, and nothing else happens.
template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::absorb() {
  if constexpr (bound_chain::has_gate) {
    const auto& tasks = tasks_.back();
    const auto run_task = [&](std::size_t task_number, std::size_t) {
      const detail::task& t = tasks[task_number];
      plan::on_path(t.path, [&](auto index) {
        using path = typename plan::template path_at<index>;
        constexpr std::size_t position = path::position_of(plan::gate_leaf);
        const auto kernel = chain_.template absorbing<index>();
        constexpr detail::traffic traffic{.from_gradient = true, .writes_update = false, .writes_parameter = false};
        for (std::size_t member = t.first; member < t.last; ++member) {
          const std::size_t i = chain_.members(index)[member];
          const auto& p = store_->parameters[i];
          const detail::arrays<T> a{gradients_[i], nullptr, p.data, p.states.data() + path::sum(path::arrays, position),
                                    t.begin};
          passes_.template run<traffic>((t.end ? t.end : p.size) - t.begin, a, kernel);
        }
      });
    };
    detail::run_tasks(tasks, chain_.settings().parallel, work_.workers.size(), detail::task_body(run_task));
  }
}

// ---- evaluating -----------------------------------------------------------------------------------

template <class Chain, class T, class Passes>
void optimizer<Chain, T, Passes>::average_into(std::size_t i, T* out) const {
  const auto& p = store_->parameters[i];
  const bool recovered = chain_.on_average(p, [&](auto index, const auto& kernel) {
    using path = typename plan::template path_at<index>;
    const detail::arrays<T> a{p.data, out, p.data, p.states.data() + path::sum(path::arrays, path::positions - 1)};
    passes_.template run<detail::average_traffic>(p.size, a, kernel);
  });
  if (!recovered && out != p.data) std::copy_n(p.data, p.size, out);
}

// ---- describing -----------------------------------------------------------------------------------

template <class Chain, class T, class Passes>
std::string optimizer<Chain, T, Passes>::describe() const {
  auto d = chain_.describe(store_->parameters, passes_.text);
  d.scratch_bytes = work_.elements * sizeof(T);
  d.rollback_bytes = rollback_.size() * sizeof(T);
  return detail::table(d);
}

}  // namespace thalweg
