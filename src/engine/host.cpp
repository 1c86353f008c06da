// The host as a device: parameters and states in its memory, a step's work shared out among threads.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thalweg/core/device.hpp>
#include <thalweg/core/error.hpp>

#include "out_of_memory.hpp"
#include "tasks.hpp"
#include "workspace.hpp"

namespace thalweg::detail {

namespace {

template <class T>
class host final : public device<T> {
  using device<T>::bound;
  using device<T>::store;

  parallel_for parallel_;
  std::span<const T* const> gradients_;            ///< of the step
  std::vector<std::vector<task>> tasks_;           ///< by phase
  std::vector<double> sums_;                       ///< what has been measured, by `program::first_sum`
  std::vector<std::vector<double>> partial_sums_;  ///< one a task
  workspace<T> work_;
  std::vector<T> rollback_;
  std::vector<T> zeros_;
  bool measures_ = false;
  std::vector<measured_sums> measured_;  ///< of each member of each task of the last phase
  std::vector<std::size_t> first_measured_;                ///< of each task
  std::vector<std::vector<std::size_t>> measured_of_;      ///< by parameter: its places in `measured_`

public:
  using device<T>::device;

  void bind(const options& o) override {
    parallel_ = o.parallel;
    allocate_states();
    share_out();
  }

  const T* zeros(std::size_t) override {  // one for all: gradients are only read
    zeros_.resize(std::ranges::max(store.parameters, {}, &bound_parameter<T>::size).size);
    return zeros_.data();
  }

  void begin_step(std::span<const T* const> gradients, measure what) override {
    measures_ = what == measure::norms;
    if (measures_ && measured_.empty()) make_room_to_measure();
    if (measures_) std::ranges::fill(measured_, measured_sums());
    gradients_ = gradients;
    store.gather();
    std::ranges::fill(sums_, 0.0);
  }

  void run_phase(std::size_t phase) override {
    const auto& tasks = tasks_[phase];
    const program<T>& what = bound.what;
    run(tasks, [&](std::size_t number, std::size_t worker) {
      const task& t = tasks[number];
      const path<T>& way = what.paths[t.path];
      const part& share = way.parts[phase];
      auto& seen = partial_sums_[number];
      seen = sums_;
      for_each_member(t, [&](std::size_t i, std::size_t begin, std::size_t end, std::size_t member) {
        auto one = on_its_way(i, worker);
        if (measures_ && phase + 1 == tasks_.size()) one.measured = &measured_[first_measured_[number] + member];
        for (std::size_t s = share.first; s < share.last; ++s)
          run_stage<T>(what.transforms, what.set, way, clock_of(i).prepared, s, one, seen.data(), begin, end);
        if (share.reduction == way.positions()) return;
        double terms[most_sums_of_one];
        reduce_at<T>(what.transforms, way, clock_of(i).prepared, share.reduction, one, terms, begin, end);
        const std::size_t l = way.transforms[share.reduction];
        for (std::size_t k = 0; k < what.info(l).is.sums; ++k) seen[what.first_sum[l] + k] += terms[k];
      });
    });
    const std::size_t l = what.phases[phase];
    for (std::size_t i = 0; i < tasks.size(); ++i)
      for (std::size_t s = what.first_sum[l]; s < what.first_sum[l + 1]; ++s) sums_[s] += partial_sums_[i][s];
  }

  double sum_that_may_stop() override { return *known_sum(bound.what.stop); }

  [[nodiscard]] std::optional<double> known_sum(std::size_t transform) const override {
    return sums_[bound.what.first_sum[transform]];
  }

  std::optional<std::size_t> stopped_by() override {
    const program<T>& what = bound.what;
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      const auto& p = store.parameters[i];
      if (!clock_of(i).runs) continue;
      const path<T>& way = what.paths[p.path];
      double terms[most_sums_of_one];
      reduce_at<T>(what.transforms, way, clock_of(i).prepared, way.position_of(what.stop), on_its_way(i, 0), terms, 0,
                   p.size);
      if (!what.info(what.stop).proceeds(terms[0])) return i;
    }
    return {};
  }

  [[nodiscard]] measured_sums measured(std::size_t i) const override {
    measured_sums all;
    for (const std::size_t part : measured_of_[i]) all.add(measured_[part]);
    return all;
  }

  void absorb(long call) override {
    const auto& tasks = tasks_.back();
    const program<T>& what = bound.what;
    run(tasks, [&](std::size_t number, std::size_t) {
      const task& t = tasks[number];
      const path<T>& way = what.paths[t.path];
      for_each_member(t, [&](std::size_t i, std::size_t begin, std::size_t end, std::size_t) {
        const auto& p = store.parameters[i];
        what.code(what.gate).absorb(call, end - begin,
                                    {gradients_[i], gradients_[i] + begin, nullptr, p.data,
                                     p.states.data() + way.first_array[way.gate], begin});
      });
    });
  }

  void run_phases(std::size_t first) override {
    or_put_back(store, rollback_, [&] {  // a function of the user's may throw in mid-step
      for (std::size_t phase = first; phase < tasks_.size(); ++phase) run_phase(phase);
    });
    store.scatter();
  }

  void copy(const T* from, std::size_t n, T* to) const override { std::copy_n(from, n, to); }
  void average(std::size_t i, const average_of<T>& by, T* out) const override {
    const auto& p = store.parameters[i];
    by.code->average(by.scalars, p.size, {p.data, p.data, out, p.data, p.states.data() + by.first_array});
  }

  void hold_back(const std::function<void(std::size_t, T*)>& average_into) override {
    auto& parameters = store.parameters;
    store.gather();
    std::vector<std::vector<T>> y(parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].averaged) y[i].assign(parameters[i].data, parameters[i].data + parameters[i].size);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].averaged) average_into(i, parameters[i].data);
    store.scatter();
    store.held_back = std::move(y);
    store.at_evaluation_point = true;
  }
  void put_back() noexcept override {
    for (std::size_t i = 0; i < store.held_back.size(); ++i)
      std::ranges::copy(store.held_back[i], store.parameters[i].data);
    store.scatter();
    store.held_back.clear();
    store.at_evaluation_point = false;
  }

  void save(const write_bytes& write, const progress& now,
            const std::function<void(std::size_t, T*)>& average_into) const override {
    store.gather();
    write_checkpoint<T>(write, store, now, average_into);
  }
  loaded_progress load(const readable_bytes& from, progress now, const load_policy& policy,
                       const std::function<void(const loaded_progress&)>& before_writing) override {
    store.gather();
    auto loaded = read_checkpoint<T>(from, store, std::move(now), policy, before_writing);
    store.scatter();
    return loaded;
  }

  void describe(description& d) const override {
    d.header = bound.what.run_by;
    d.scratch_bytes = work_.elements * sizeof(T);
    d.rollback_bytes = rollback_.size() * sizeof(T);
  }
  [[nodiscard]] std::string computed_by(std::size_t path, std::size_t position) const override {
    return bound.what.info(bound.what.paths[path].transforms[position]).computed_by();
  }

private:
  template <class Body>
  void run(const std::vector<task>& tasks, const Body& body) {
    run_tasks(tasks, parallel_, work_.workers.size(), task_body(body));
  }
  [[nodiscard]] const clock<T>& clock_of(std::size_t i) const { return bound.clocks[store.parameters[i].clock]; }
  /// f(parameter, begin, end, member) for each parameter, or part of one, of a task, if it has a gradient.
  template <class F>
  void for_each_member(const task& t, F f) const {
    for (std::size_t m = t.first; m < t.last; ++m) {
      const std::size_t i = bound.members[t.path][m];
      if (clock_of(i).runs) f(i, t.begin, t.end ? t.end : store.parameters[i].size, m - t.first);
    }
  }
  [[nodiscard]] in_flight<T> on_its_way(std::size_t i, std::size_t worker) const {
    const auto& p = store.parameters[i];
    const auto& w = work_.workers[worker];
    return {.parameter = {p.data, p.info.shape, p.info.order, p.info.name},
            .data = p.data,
            .gradient = gradients_[i],
            .states = p.states.data(),
            .state_shapes = p.state_shapes.data(),
            .update = work_.waiting[i] ? work_.waiting[i] : w.update,
            .tile = w.update,
            .scratch = w.scratch};
  }

  void allocate_states() {
    for (const auto& p : store.parameters)
      for (const auto& shape : p.state_shapes) store.state_elements += padded<T>(element_count(shape));
    try {
      store.states = allocate<T>(store.state_elements);
    } catch (const std::bad_alloc&) {
      const auto& most = std::ranges::max(store.parameters, {}, &bound_parameter<T>::size).info;
      throw out_of_memory(in_words("[optimizer] Expected memory for the state of ", store.state_elements * sizeof(T),
                                   " bytes. Received none. The largest parameter is ", in_quotes(most.name), " with shape ",
                                   most.shape, "."));
    }
    T* free = store.states.get();
    for (auto& p : store.parameters)
      for (const std::size_t l : bound.what.paths[p.path].transforms)
        for (std::size_t array = 0; array < bound.what.info(l).is.arrays; ++array) {
          const std::size_t size = element_count(p.state_shapes[p.states.size()]);
          bound.what.code(l).fill(array, std::span<T>(free, size), p.data);
          p.states.push_back(free);
          free += padded<T>(size);
        }
  }

  void make_room_to_measure() {
    measured_of_.resize(store.parameters.size());
    for (const task& t : tasks_.back()) {
      first_measured_.push_back(measured_.size());
      for (std::size_t m = t.first; m < t.last; ++m) {
        measured_of_[bound.members[t.path][m]].push_back(measured_.size());
        measured_.emplace_back();
      }
    }
  }

  void share_out() {
    const program<T>& what = bound.what;
    std::vector<const parameter_info*> infos;
    for (const auto& p : store.parameters) infos.push_back(&p.info);
    sums_.resize(what.first_sum.back());
    std::size_t most_tasks = 1;
    for (std::size_t phase = 0; phase < what.phases.size(); ++phase) {
      auto& tasks = tasks_.emplace_back();
      for (std::size_t p = 0; p < what.paths.size(); ++p)
        if (const part& share = what.paths[p].parts[phase]; share.takes_part)
          add_tasks(tasks, p, bound.members[p], infos, share.whole_tensors);
      most_tasks = std::max(most_tasks, tasks.size());
    }
    partial_sums_.assign(most_tasks, sums_);

    // An update that waits at a model-wise barrier has memory of its own, all others take turns in their worker's.
    std::vector<std::size_t> own(store.parameters.size(), 0);
    std::size_t shared = 0, scratch = 0;
    bool may_throw = false;
    for (std::size_t p = 0; p < what.paths.size(); ++p) {
      const path<T>& way = what.paths[p];
      for (const auto& passes : way.passes)
        if (passes.size() > 1) shared = std::max(shared, tile_elements);
      for (const std::size_t i : bound.members[p]) {
        const auto& one = store.parameters[i];
        if (way.waits()) own[i] = padded<T>(one.size);
        else if (way.crosses_memory()) shared = std::max(shared, padded<T>(one.size));
        for (const std::size_t l : way.transforms)
          scratch = std::max(scratch, padded<T>(what.info(l).scratch(one.info)));
      }
    }
    for (const auto& t : what.transforms) may_throw = may_throw || t.code->may_throw;
    work_ = {own, shared, scratch, worker_count(parallel_, most_tasks)};
    if (may_throw) rollback_.resize(size_to_put_back(store));
  }
};

}  // namespace

template <class T>
std::shared_ptr<device<T>> make_host(bound_program<T> bound) {
  return std::make_shared<host<T>>(std::move(bound));
}
template std::shared_ptr<device<float>> make_host(bound_program<float>);
template std::shared_ptr<device<double>> make_host(bound_program<double>);

}  // namespace thalweg::detail
