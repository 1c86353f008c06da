// How a run-time chain binds and steps. The rules are core/engine.hpp's, and so is what does the work; here are paths,
// phases and scalars whose number no type tells.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <thalweg/core/any_optimizer.hpp>
#include <thalweg/core/optimizer.hpp>

#include "../compiled/passes.hpp"
#include "plan.hpp"

namespace thalweg::runtime::detail {

template <class T>
class engine final : public thalweg::detail::engine<T> {
  std::string text_;  ///< the chain's
  plan plan_;
  options options_;
  std::string_view passes_;  ///< in words
  long steps_ = 0;
  long calls_ = 0;  ///< of `step`, where a gate swallows some
  thalweg::detail::gathered_losses gathered_losses_{};
  std::vector<double> weight_sums_, next_weight_sums_;        ///< by path
  std::vector<std::vector<double>> scalars_, next_scalars_, spare_scalars_;  ///< by path
  std::shared_ptr<thalweg::detail::storage<T>> store_ = std::make_shared<thalweg::detail::storage<T>>();

  std::vector<places<T>> at_;                      ///< by path, for those that a parameter takes
  std::vector<std::vector<std::size_t>> members_;  ///< parameters by path
  thalweg::detail::given_gradients<T> gradients_;
  std::vector<std::vector<thalweg::detail::task>> tasks_;  ///< by phase
  std::vector<double> sums_;                               ///< by leaf: what has been measured
  std::vector<std::vector<double>> partial_sums_;          ///< one a task
  thalweg::detail::workspace<T> work_;
  std::vector<T> rollback_;

public:
  engine(const chain& c, std::vector<parameter<T>> parameters, const options& o, std::size_t set)
      : text_(to_text(c)), plan_(c.tree().links), options_(o), passes_(compiled::passes_for(set).text) {
    check_fields("optimizer", options_);
    for (const auto& l : plan_.leaves) l->check(std::type_identity<T>());
    const std::size_t paths = plan_.paths.size();
    members_.resize(paths);
    at_.resize(paths);
    weight_sums_.resize(paths);
    scalars_.resize(paths);
    bind(parameters);
    for (std::size_t p = 0; p < paths; ++p) {
      const path& way = plan_.paths[p];
      for (const std::size_t l : way.leaf) {
        for (std::size_t s = 0; s < leaf_at(l).is.scalars; ++s) scalars_[p].push_back(leaf_at(l).initial(s));
        if (!members_[p].empty()) at_[p].push_back(leaf_at(l).put(std::type_identity<T>(), set));
      }
    }
    next_scalars_ = spare_scalars_ = scalars_;
    next_weight_sums_ = weight_sums_;
    prepare({.loss = 1});  // whatever `at` refuses, it refuses here
    allocate_states();
    share_out();
  }

  step_report step(std::span<const std::span<const T>> gradients, const step_inputs& given) override {
    for (std::size_t i = 0; i < gradients.size(); ++i) gradients_.take(i, gradients[i]);
    gradients_.check_count(gradients.size());
    const bool may_stop = plan_.stopping_leaf < plan_.leaf_count();
    if (may_stop && !thalweg::detail::has_finite_loss(given)) return {.taken = false};
    for (std::size_t p = 0; p < plan_.paths.size(); ++p)
      for (const std::size_t l : plan_.paths[p].leaf)
        if (!members_[p].empty() && leaf_at(l).is.reads_loss) thalweg::detail::check_loss(leaf_at(l).name, given);
    auto losses = gathered_losses_;  // of all the calls that a gate makes one step of
    prepare(losses.take(given));

    std::ranges::fill(sums_, 0.0);
    if (may_stop) {  // nothing is written before
      run_phase(0);
      if (!leaf_at(plan_.stopping_leaf).proceeds(sums_[plan_.first_sum[plan_.stopping_leaf]])) return stopped();
    }
    if (plan_.gate_leaf < plan_.leaf_count() && !leaf_at(plan_.gate_leaf).opens(calls_ + 1)) {
      absorb();
      ++calls_;
      gathered_losses_ = losses;
      return {.taken = false};
    }
    thalweg::detail::or_put_back(*store_, rollback_, [&] {
      for (std::size_t phase = may_stop; phase < plan_.phases.size(); ++phase) run_phase(phase);
    });
    scalars_.swap(next_scalars_);
    weight_sums_.swap(next_weight_sums_);
    ++steps_;
    ++calls_;
    gathered_losses_ = {};
    return {};
  }

  evaluation_guard<T> evaluation_point() override {
    for (std::size_t p = 0; p < plan_.paths.size(); ++p) check_average(p);
    return evaluation_guard<T>(store_, [this](std::size_t i, T* out) { average_into(i, out); });
  }

  void averaged(std::size_t i, std::span<T> out) const override {
    gradients_.check_room(i, out);
    const auto& p = store_->parameters[i];
    check_average(p.path);
    if (store_->at_evaluation_point) std::copy_n(p.data, p.size, out.data());
    else average_into(i, out.data());
  }

  long steps() const override { return steps_; }
  double lr() const override { return options_.lr; }
  void lr(double lr) override { options_ = thalweg::detail::with_lr(options_, lr); }
  void save(const std::string& path) const override {
    thalweg::detail::save_checkpoint<T>(path, *store_, progress(),
                                        [this](std::size_t i, T* out) { average_into(i, out); });
  }
  void load(const std::string& path) override {
    const auto loaded = thalweg::detail::load_checkpoint<T>(path, *store_, progress());
    options_.lr = loaded.settings.lr;
    steps_ = loaded.steps;
    calls_ = loaded.calls;
    gathered_losses_ = loaded.losses;
    for (std::size_t p = 0; p < plan_.paths.size(); ++p) {
      weight_sums_[p] = loaded.routes[p].weight_sum;
      std::ranges::copy(loaded.routes[p].scalars, scalars_[p].begin());
    }
  }
  std::string describe() const override;

private:
  [[nodiscard]] const leaf& leaf_at(std::size_t l) const { return *plan_.leaves[l]; }

  [[nodiscard]] thalweg::detail::progress progress() const;

  void bind(std::vector<parameter<T>>& parameters);
  void allocate_states();
  void share_out();

  /// What the transforms make of the next step; the scalars and weights that will be, if it is taken.
  void prepare(const step_inputs& inputs);
  void run_phase(std::size_t phase);
  void absorb();
  [[nodiscard]] step_report stopped() const;

  [[nodiscard]] traveller<T> on_its_way(std::size_t parameter, std::size_t worker) const {
    const auto& p = store_->parameters[parameter];
    const auto& w = work_.workers[worker];
    return {{p.data, p.info.shape, p.info.order, p.info.name},
            p.data, p.states.data(), p.state_shapes.data(), gradients_[parameter],
            work_.waiting[parameter] ? work_.waiting[parameter] : w.update, w.update, w.scratch};
  }

  void check_average(std::size_t p) const {
    if (steps_ == 0 || members_[p].empty()) return;  // x is y
    const std::size_t last = plan_.paths[p].positions() - 1;
    at_[p][last]->average(scalars_[p].data() + plan_.paths[p].first_scalar[last], 0, {});
  }
  void average_into(std::size_t i, T* out) const {
    const auto& p = store_->parameters[i];
    if (!p.averaged || steps_ == 0) {
      if (out != p.data) std::copy_n(p.data, p.size, out);
      return;
    }
    const path& way = plan_.paths[p.path];
    const std::size_t last = way.positions() - 1;
    at_[p.path][last]->average(scalars_[p.path].data() + way.first_scalar[last], p.size,
                               {p.data, out, p.data, p.states.data() + way.first_array[last]});
  }
};

// ---- binding --------------------------------------------------------------------------------------

template <class T>
void engine<T>::bind(std::vector<parameter<T>>& parameters) {
  std::vector<parameter_info> infos;
  std::vector<const void*> data;
  for (auto& p : parameters) {
    infos.push_back({std::move(p.name), std::move(p.shape), p.role, p.order});
    data.push_back(p.data);
  }
  thalweg::detail::check_parameters(infos, data, sizeof(T));
  for (std::size_t i = 0; i < infos.size(); ++i) {
    thalweg::detail::bound_parameter<T> p{.info = std::move(infos[i]), .data = parameters[i].data};
    p.size = p.info.size();
    p.path = plan_.select(p.info);
    members_[p.path].push_back(i);
    const auto& way = plan_.paths[p.path].leaf;
    for (const std::size_t l : way) leaf_at(l).check(p.info);
    for (const std::size_t l : way) {
      std::size_t array = 0;
      for (const slot& s : leaf_at(l).slots)
        if (s.what == slot_kind::array)
          p.add_state(leaf_at(l).name, s.name, leaf_at(l).shape(array++, p.info), s.of_its_shape);
    }
    p.averaged = leaf_at(way.back()).is.averages;
    store_->parameters.push_back(std::move(p));
  }
  gradients_ = thalweg::detail::given_gradients<T>(*store_);
}

template <class T>
void engine<T>::allocate_states() {
  auto& store = *store_;
  for (const auto& p : store.parameters)
    for (const auto& shape : p.state_shapes) store.state_elements += thalweg::detail::padded<T>(element_count(shape));
  store.states = thalweg::detail::allocate<T>(store.state_elements);
  T* free = store.states.get();
  for (auto& p : store.parameters)
    for (const std::size_t l : plan_.paths[p.path].leaf)
      for (std::size_t array = 0; array < leaf_at(l).is.arrays; ++array) {
        const std::size_t size = element_count(p.state_shapes[p.states.size()]);
        leaf_at(l).fill(array, std::span<T>(free, size), p.data);
        p.states.push_back(free);
        free += thalweg::detail::padded<T>(size);
      }
}

template <class T>
void engine<T>::share_out() {
  const auto& parameters = store_->parameters;
  std::vector<const parameter_info*> infos;
  for (const auto& p : parameters) infos.push_back(&p.info);
  sums_.resize(plan_.first_sum.back());
  std::size_t most_tasks = 1;
  for (std::size_t phase = 0; phase < plan_.phases.size(); ++phase) {
    tasks_.emplace_back();
    for (std::size_t p = 0; p < plan_.paths.size(); ++p) {
      const part& share = plan_.parts[p][phase];
      if (share.takes_part) thalweg::detail::add_tasks(tasks_.back(), p, members_[p], infos, share.whole_tensors);
    }
    most_tasks = std::max(most_tasks, tasks_.back().size());
  }
  partial_sums_.assign(most_tasks, sums_);

  // An update that waits at a model-wise barrier has memory of its own, all others take turns in their worker's.
  std::vector<std::size_t> own(parameters.size(), 0);
  std::size_t shared = tile_elements, scratch = 0;
  bool may_throw = false;
  for (std::size_t p = 0; p < plan_.paths.size(); ++p) {
    const path& way = plan_.paths[p];
    bool waits = false;
    for (std::size_t i = 0; i < way.positions(); ++i)
      waits = waits || (way.kinds[i] == kind::modelwise && way.changed_before(i));
    for (const std::size_t i : members_[p]) {
      if (waits) own[i] = thalweg::detail::padded<T>(parameters[i].size);
      else if (way.crosses_memory()) shared = std::max(shared, thalweg::detail::padded<T>(parameters[i].size));
      for (const std::size_t l : way.leaf)
        scratch = std::max(scratch, thalweg::detail::padded<T>(leaf_at(l).scratch(parameters[i].info)));
    }
  }
  for (const auto& l : plan_.leaves) may_throw = may_throw || l->may_throw(std::type_identity<T>());
  work_ = {own, shared, scratch, thalweg::detail::worker_count(options_.parallel, most_tasks)};
  if (may_throw) rollback_.resize(thalweg::detail::size_to_put_back(*store_));
}

// ---- stepping -------------------------------------------------------------------------------------

template <class T>
void engine<T>::prepare(const step_inputs& inputs) {
  next_weight_sums_ = weight_sums_;
  next_scalars_ = spare_scalars_ = scalars_;
  for (std::size_t p = 0; p < plan_.paths.size(); ++p) {
    if (members_[p].empty()) continue;  // it has no say
    const path& way = plan_.paths[p];
    const context begin = thalweg::detail::context_of_step(options_, steps_ + 1, inputs);
    context last = begin;  // the lr in which the path ends: only the contextual transforms run
    for (std::size_t i = 0; i < way.positions(); ++i)
      if (way.kinds[i] == kind::contextual)
        last = at_[p][i]->prepare(last, spare_scalars_[p].data() + way.first_scalar[i]);
    context c = begin;
    thalweg::detail::add_weight(c, options_, last.lr, next_weight_sums_[p]);
    for (std::size_t i = 0; i < way.positions(); ++i)
      c = at_[p][i]->prepare(c, next_scalars_[p].data() + way.first_scalar[i]);
  }
}

template <class T>
void engine<T>::run_phase(std::size_t phase) {
  const auto& tasks = tasks_[phase];
  const auto run_task = [&](std::size_t number, std::size_t worker) {
    const thalweg::detail::task& t = tasks[number];
    const path& way = plan_.paths[t.path];
    const part& share = plan_.parts[t.path][phase];
    auto& seen = partial_sums_[number];
    seen = sums_;
    for (std::size_t member = t.first; member < t.last; ++member) {
      const std::size_t i = members_[t.path][member];
      const std::size_t end = t.end ? t.end : store_->parameters[i].size;
      const auto traveller = on_its_way(i, worker);
      for (std::size_t s = share.first; s < share.last; ++s)
        run_stage(way, at_[t.path], s, traveller, seen.data(), t.begin, end);
      if (share.reduction < way.positions()) {
        double terms[most_sums_of_one];
        reduce_at(way, at_[t.path], share.reduction, traveller, terms, t.begin, end);
        const std::size_t l = way.leaf[share.reduction];
        for (std::size_t k = 0; k < leaf_at(l).is.sums; ++k) seen[plan_.first_sum[l] + k] += terms[k];
      }
    }
  };
  thalweg::detail::run_tasks(tasks, options_.parallel, work_.workers.size(), thalweg::detail::task_body(run_task));
  const std::size_t l = plan_.phases[phase];
  for (std::size_t i = 0; i < tasks.size(); ++i)
    for (std::size_t s = plan_.first_sum[l]; s < plan_.first_sum[l + 1]; ++s) sums_[s] += partial_sums_[i][s];
}

template <class T>
step_report engine<T>::stopped() const {
  for (std::size_t i = 0; i < store_->parameters.size(); ++i) {
    const auto& p = store_->parameters[i];
    const path& way = plan_.paths[p.path];
    double terms[most_sums_of_one];
    reduce_at(way, at_[p.path], way.position_of(plan_.stopping_leaf), on_its_way(i, 0), terms, 0, p.size);
    if (!leaf_at(plan_.stopping_leaf).proceeds(terms[0])) return {.taken = false, .parameter = p.info.name};
  }
  return {.taken = false};
}

// A step that the gate swallows: its own states take the gradients in, and nothing else happens.
template <class T>
void engine<T>::absorb() {
  const auto& tasks = tasks_.back();
  const auto run_task = [&](std::size_t number, std::size_t) {
    const thalweg::detail::task& t = tasks[number];
    const path& way = plan_.paths[t.path];
    const std::size_t position = way.position_of(plan_.gate_leaf);
    for (std::size_t member = t.first; member < t.last; ++member) {
      const std::size_t i = members_[t.path][member];
      const auto& p = store_->parameters[i];
      const arrays<T> a{gradients_[i], nullptr, p.data, p.states.data() + way.first_array[position], t.begin};
      at_[t.path][position]->absorb(calls_ + 1, (t.end ? t.end : p.size) - t.begin, a);
    }
  };
  thalweg::detail::run_tasks(tasks, options_.parallel, work_.workers.size(), thalweg::detail::task_body(run_task));
}

// ---- saving and describing ------------------------------------------------------------------------

template <class T>
thalweg::detail::progress engine<T>::progress() const {
  thalweg::detail::progress now{.chain = text_, .settings = options_, .steps = steps_, .calls = calls_,
                                .losses = gathered_losses_};
  for (std::size_t p = 0; p < plan_.paths.size(); ++p) {
    auto& route = now.routes.emplace_back(thalweg::detail::progress::route{.weight_sum = weight_sums_[p]});
    const double* next = scalars_[p].data();
    for (const std::size_t l : plan_.paths[p].leaf)
      for (const slot& s : leaf_at(l).slots)
        if (s.what == slot_kind::scalar) route.add_scalar(leaf_at(l).name, s.name, *next++);
  }
  return now;
}

template <class T>
std::string engine<T>::describe() const {
  thalweg::detail::description d;
  d.header = in_words(std::is_same_v<T, float> ? "float32" : "float64", ", step ", steps_, ", ", options_,
                      ", tile by tile, ", passes_);
  std::vector<std::string> names(plan_.paths.size());
  for (std::size_t p = 0; p < plan_.paths.size(); ++p) {
    thalweg::detail::description::path entry;
    const double* next = scalars_[p].data();
    for (const std::size_t l : plan_.paths[p].leaf) {
      const leaf& t = leaf_at(l);
      names[p] += in_words(names[p].empty() ? "" : " | ", t.name);
      entry.chain += in_words(entry.chain.empty() ? "" : " | ", t.text());
      if (const std::string by = t.computed_by(); !by.empty()) entry.computed_by.push_back(in_words(t.name, " by ", by));
      for (const slot& s : t.slots)
        if (s.what == slot_kind::scalar) entry.scalars.push_back(in_words(t.name, ".", s.name, "=", *next++));
    }
    if (!members_[p].empty()) d.paths.push_back(std::move(entry));
  }
  for (const auto& p : store_->parameters) d.add(p, names[p.path]);
  d.scratch_bytes = work_.elements * sizeof(T);
  d.rollback_bytes = rollback_.size() * sizeof(T);
  return thalweg::detail::table(d);
}

}  // namespace thalweg::runtime::detail
