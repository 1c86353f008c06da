// The host as a device: parameters and states in its memory, a step's work shared out among threads. Where several processes
// step together, each may have only some parameters here: those it gives states, and takes through the passes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/device.hpp>
#include <thalweg/core/error.hpp>

#include "begin_rest.hpp"
#include "out_of_memory.hpp"
#include "tasks.hpp"
#include "workspace.hpp"

namespace thalweg::detail {

template <class T>
class host : public device<T> {
  parallel_for parallel_;
  std::vector<std::vector<task>> tasks_;           ///< by phase
  std::vector<double> sums_;                       ///< what has been measured, by `program::first_sum`
  std::vector<std::vector<double>> seen_sums_;     ///< one a task: `sums_`, and the sums of one parameter on its own
  std::vector<double> terms_;                      ///< of a phase's sums: of each member of each task
  workspace<T> work_;
  std::vector<std::byte> rollback_;
  std::vector<T> zeros_;
  weights_in weights_ = weights_in::exact;
  std::uint64_t seed_ = 0;
  std::uint64_t stream_ = 0;               ///< of rounding, of the step
  bool copies_tiles_ = false;              ///< of arrays that are not of T
  std::size_t most_tasks_ = 1;
  std::vector<std::uint64_t> name_keys_;   ///< by parameter, of the mixed ones
  bool measures_ = false;
  std::vector<measured_sums> measured_;  ///< of each member of each task of the last phase
  std::vector<std::vector<std::size_t>> first_member_;     ///< by phase: of each task, and how many there are
  std::vector<std::vector<std::size_t>> measured_of_;      ///< by parameter: its places in `measured_`

protected:
  using device<T>::bound;
  using device<T>::store;

  std::span<const stored_array> gradients_;  ///< of the step

  /// Whether this process steps parameter `i`.
  [[nodiscard]] virtual bool is_here(std::size_t /*i*/) const { return true; }
  /// Whether the tasks that run now take it.
  [[nodiscard]] virtual bool takes(std::size_t i) const { return is_here(i); }
  /// How many elements of its gradient this process judges, before a step that may stop.
  [[nodiscard]] virtual std::size_t judged(std::size_t i) const { return is_here(i) ? store.parameters[i].size : 0; }
  /// Runs the tasks of a phase. A process that waits for others runs some of them now and the rest later.
  virtual void run_all(std::size_t phase, task_body body) { run(tasks_[phase], body); }
  /// Ends a part of a step. With several processes: if one has thrown, throws the same in all; and gives each process the
  /// bytes that the others have computed. A process must hold zero for each byte that it has not computed.
  virtual void join(std::exception_ptr failure, std::span<std::byte> /*computed*/) {
    if (failure) std::rethrow_exception(failure);
  }

  [[nodiscard]] const std::vector<std::vector<task>>& tasks() const { return tasks_; }
  void run(std::span<const task> tasks, task_body body) { run_tasks(tasks, parallel_, work_.workers.size(), body); }
  [[nodiscard]] bool puts_back() const { return !rollback_.empty(); }
  [[nodiscard]] const clock<T>& clock_of(std::size_t i) const { return bound.clocks[store.parameters[i].clock]; }
  /// Of n elements of parameter `i`: its share of the sum that may stop the step.
  [[nodiscard]] double sum_of_one(std::size_t i, std::size_t n, std::size_t worker = 0) const {
    const path<T>& way = bound.what.paths[store.parameters[i].path];
    double terms[most_sums_of_one];
    stored_arrays<T> as;
    reduce_at<T>(bound.what.transforms, way, clock_of(i).prepared, way.position_of(bound.what.stop),
                 on_its_way(i, worker, as), terms, 0, n);
    return terms[0];
  }

public:
  using device<T>::device;

  void bind(const options& o) override {
    parallel_ = o.parallel;
    weights_ = o.weights;
    seed_ = o.seed;
    allocate_states();
    copies_tiles_ = std::ranges::any_of(store.parameters, &bound_parameter<T>::is_mixed);
    share_out();
  }

  const T* zeros(std::size_t) override {  // one for all: gradients are only read
    zeros_.resize(std::ranges::max(store.parameters, {}, &bound_parameter<T>::size).size);
    return zeros_.data();
  }

  void begin_step(std::span<const stored_array> gradients, long number, measure what) override {
    stream_ = scrambled(seed_, static_cast<std::uint64_t>(number));
    measures_ = what == measure::norms;
    if (measures_ && measured_.empty()) make_room_to_measure();
    if (measures_) std::ranges::fill(measured_, measured_sums());
    gradients_ = gradients;
    if (!copies_tiles_ && std::ranges::any_of(gradients, [](const stored_array& g) { return g.data && g.type != type_of<T>; })) {
      copies_tiles_ = true;
      try {
        make_work_room();
      } catch (...) {  // no memory
        copies_tiles_ = false;
        throw;
      }
    }
    store.gather();
    std::ranges::fill(sums_, 0.0);
  }

  void run_phase(std::size_t phase) override {
    const auto& tasks = tasks_[phase];
    const auto& first_member = first_member_[phase];
    const program<T>& what = bound.what;
    const std::size_t first_sum = what.first_sum[what.phases[phase]];
    const std::size_t sums = what.first_sum[what.phases[phase] + 1] - first_sum;
    const std::span<double> terms = std::span(terms_).first(first_member.back() * sums);
    std::ranges::fill(terms, 0.0);
    std::exception_ptr failure;
    try {
      const auto body = [&](std::size_t number, std::size_t worker) {
        const task& t = tasks[number];
        const path<T>& way = what.paths[t.path];
        const part& share = way.parts[phase];
        auto& seen = seen_sums_[number];
        seen = sums_;
        for_each_member(t, [&](std::size_t i, std::size_t begin, std::size_t end, std::size_t member) {
          stored_arrays<T> as;
          auto one = on_its_way(i, worker, as);
          if (measures_ && phase + 1 == tasks_.size()) one.measured = &measured_[first_member[number] + member];
          for (std::size_t s = share.first; s < share.last; ++s)
            run_stage<T>(what.transforms, what.set, way, clock_of(i).prepared, s, one, seen.data(), begin, end);
          if (share.reduction == way.positions()) return;
          reduce_at<T>(what.transforms, way, clock_of(i).prepared, share.reduction, one,
                       &terms[(first_member[number] + member) * sums], begin, end);
        });
      };
      run_all(phase, task_body(body));
    } catch (...) {
      failure = std::current_exception();
    }
    join(failure, std::as_writable_bytes(terms));
    if (measures_ && phase + 1 == tasks_.size()) join({}, std::as_writable_bytes(std::span(measured_)));
    // In an order that neither the threads nor the processes change.
    for (std::size_t number = 0; number < tasks.size(); ++number)
      for (std::size_t k = 0; k < sums; ++k) {
        double of_task = 0;
        for (std::size_t m = first_member[number]; m < first_member[number + 1]; ++m) of_task += terms[m * sums + k];
        sums_[first_sum + k] += of_task;
      }
  }

  std::span<const double> sums(std::size_t transform) override {
    return std::span(sums_).subspan(bound.what.first_sum[transform], bound.what.info(transform).is.sums);
  }

  [[nodiscard]] std::optional<double> known_sum(std::size_t transform) const override {
    return sums_[bound.what.first_sum[transform]];
  }

  std::optional<std::size_t> stopped_by() override {
    const transform_info& stop = bound.what.info(bound.what.stop);
    for (std::size_t i = 0; i < store.parameters.size(); ++i)
      if (const std::size_t n = judged(i); n > 0 && clock_of(i).runs && !stop.proceeds(sum_of_one(i, n))) return i;
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
    const auto body = [&](std::size_t number, std::size_t worker) {
      const task& t = tasks[number];
      for_each_member(t, [&](std::size_t i, std::size_t begin, std::size_t end, std::size_t) {
        stored_arrays<T> as;
        absorb_at<T>(what.transforms, what.paths[t.path], call, on_its_way(i, worker, as), begin, end);
      });
    };
    run(tasks, task_body(body));
  }

  void run_phases(std::size_t first) override {
    or_put_back(store, rollback_, [&] {  // a function of the user's may throw in mid-step
      for (std::size_t phase = first; phase < tasks_.size(); ++phase) run_phase(phase);
    });
    store.scatter();
  }

  void copy_parameter(std::size_t i, T* out) const override {
    const auto& p = store.parameters[i];
    const bool at_x = store.at_evaluation_point && p.averaged;  // the rest that the 16 bits leave out belongs to y
    if (p.data) std::copy_n(p.data, p.size, out);
    else if constexpr (std::is_same_v<T, float>) read({p.values.data, p.values.type, at_x ? nullptr : p.values.rest}, 0, p.size, out);
  }
  void average(std::size_t i, const average_of<T>& by, T* out) const override {
    const auto& p = store.parameters[i];
    if (!p.is_mixed) return by.code->average(by.scalars, p.size, {p.data, p.data, out, p.data, p.states.data() + by.first_array});
    const path<T>& way = bound.what.paths[p.path];
    std::vector<T> tiles(tile_elements * (2 + p.arrays.size()));  // x may be asked for by several threads
    std::vector<T*> pointers(p.arrays.size());
    const stored_arrays<T> as{.parameter = p.values, .gradient = {}, .states = p.arrays.data(), .weights = {}, .stream = 0,
                              .tiles = tiles.data(), .states_in_tiles = pointers.data(), .whole = nullptr};
    in_flight<T> one{};
    one.stored_as = &as;
    average_stored(way, *by.code, by.scalars, one, p.size, out);
  }

  void hold_back(const std::function<void(std::size_t, T*)>& average_into) override {
    auto& parameters = store.parameters;
    store.gather();
    std::vector<std::vector<std::byte>> y(parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (const auto& p = parameters[i]; p.averaged) {
        const auto* const bytes = static_cast<const std::byte*>(p.values.data);
        y[i].assign(bytes, bytes + p.bytes());
      }
    std::vector<std::vector<T>> x(parameters.size());  // of 16 bits: all memory is there before anything is written
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].averaged && !parameters[i].data) average_into(i, (x[i].resize(parameters[i].size), x[i].data()));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto& p = parameters[i];
      if (!p.averaged) continue;
      if (p.data) average_into(i, p.data);
      else if constexpr (std::is_same_v<T, float>) write(x[i].data(), {p.values.data, p.values.type, nullptr}, 0, p.size);
    }
    store.scatter();
    store.held_back = std::move(y);
    store.at_evaluation_point = true;
  }
  void put_back() noexcept override {
    for (std::size_t i = 0; i < store.held_back.size(); ++i)
      std::ranges::copy(store.held_back[i], static_cast<std::byte*>(store.parameters[i].values.data));
    store.scatter();
    store.held_back.clear();
    store.at_evaluation_point = false;
  }

  void scale_rows(std::size_t i, std::span<const double> by, std::size_t rows, long number) override {
    const auto& p = store.parameters[i];
    const auto factor_of = [&](std::size_t e) {
      const std::size_t cols = p.info.cols();
      return by[(p.info.order == storage_order::row_major ? e / cols : e % p.info.rows()) / rows];
    };
    std::vector<T> tile(p.is_mixed ? tile_elements : 0);
    const auto scale = [&](const stored_array& array, rounding how) {
      T* const own = array.as<T>();
      for (std::size_t e = 0; own && e < p.size; ++e) own[e] = saturated<T>(factor_of(e) * static_cast<double>(own[e]));
      if constexpr (std::is_same_v<T, float>) {
        for (std::size_t first = 0; !own && first < p.size; first += tile_elements) {
          const std::size_t n = std::min(tile_elements, p.size - first);
          read(array, first, n, tile.data());
          for (std::size_t e = 0; e < n; ++e) tile[e] = saturated<float>(factor_of(first + e) * static_cast<double>(tile[e]));
          write(tile.data(), array, first, n, how);
        }
      }
    };
    store.gather();
    const std::uint64_t stream = scrambled(scrambled(scrambled(seed_, static_cast<std::uint64_t>(number)), name_keys_[i]), "scale_rows");
    scale(p.values, weights_ == weights_in::stochastic ? rounding{scrambled(stream, p.arrays.size())} : rounding{});
    std::size_t array = 0;
    for (const std::size_t t : bound.what.paths[p.path].transforms)
      for (const slot& s : bound.what.info(t).slots) {
        if (s.what != slot_kind::array) continue;
        if (s.holds_weights && is_here(i)) scale(p.arrays[array], rounding{scrambled(stream, array)});
        ++array;
      }
    store.scatter();
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
    d.rollback_bytes = rollback_.size();
  }
  [[nodiscard]] std::string computed_by(std::size_t path, std::size_t position) const override {
    return bound.what.info(bound.what.paths[path].transforms[position]).computed_by();
  }

private:
  /// f(parameter, begin, end, member) for each parameter, or part of one, of a task, if it has a gradient.
  template <class F>
  void for_each_member(const task& t, F f) const {
    for (std::size_t m = t.first; m < t.last; ++m) {
      const std::size_t i = bound.members[t.path][m];
      if (clock_of(i).runs && takes(i)) f(i, t.begin, t.end ? t.end : store.parameters[i].size, m - t.first);
    }
  }
  /// `as`: where it says how the arrays are stored, if not all are of T.
  [[nodiscard]] in_flight<T> on_its_way(std::size_t i, std::size_t worker, stored_arrays<T>& as) const {
    const auto& p = store.parameters[i];
    const auto& w = work_.workers[worker];
    const T* const gradient = gradients_[i].template as<T>();
    const bool mixed = p.is_mixed || !gradient;
    if (mixed) {
      const std::uint64_t stream = scrambled(stream_, name_keys_[i]);
      as = {.parameter = p.values,
            .gradient = gradients_[i],
            .states = p.arrays.data(),
            .weights = weights_ == weights_in::stochastic ? rounding{scrambled(stream, p.arrays.size())} : rounding{},
            .stream = stream,
            .tiles = w.tiles,
            .states_in_tiles = w.states_in_tiles,
            .whole = w.whole};
    }
    return {.parameter = {p.data, p.info.shape, p.info.order, p.info.name},
            .data = p.data,
            .gradient = gradient,
            .states = p.states.data(),
            .state_shapes = p.state_shapes.data(),
            .update = work_.waiting[i] ? work_.waiting[i] : w.update,
            .tile = w.update,
            .scratch = w.scratch,
            .stored_as = mixed ? &as : nullptr};
  }

  [[nodiscard]] std::size_t rest_of_weights(const bound_parameter<T>& p) const {
    const bool exact = p.values.type != type_of<T> && weights_ == weights_in::exact;
    return exact ? bytes_of_rest(p.values.type, p.size) : 0;
  }

  /// The sizes in bytes of a parameter's arrays: the rest that its 16 bits leave out, then each state and its extra array.
  [[nodiscard]] std::vector<std::size_t> bytes_of_arrays(const bound_parameter<T>& p) const {
    std::vector<std::size_t> bytes{rest_of_weights(p)};
    for (std::size_t s = 0; s < p.state_shapes.size(); ++s) {
      const std::size_t n = element_count(p.state_shapes[s]);
      bytes.insert(bytes.end(), {n * bytes_of(p.state_types[s]), bytes_beside_state(p.state_types[s], n)});
    }
    return bytes;
  }

  void allocate_states() {
    // The first arrays of all parameters are contiguous, then the second arrays. So a pass over many small parameters reads
    // forward as in one large parameter, and the prefetched bytes belong to the next parameter.
    // Large arrays begin at different places of a page, and so do the first and the second arrays of small parameters.
    // Otherwise arrays that are read together would share the sets of the first cache.
    constexpr std::size_t large = 64 * 1024, apart = 1024 + alignment;
    std::vector<std::vector<std::size_t>> bytes, places;
    std::size_t most = 0;
    for (const auto& p : store.parameters) {
      bytes.push_back(bytes_of_arrays(p));
      places.emplace_back(bytes.back().size());
      most = std::max(most, bytes.back().size());
    }
    for (std::size_t array = 0; array < most; ++array) {
      std::size_t of_small = 0;
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (array >= bytes[i].size() || bytes[i][array] == 0 || !is_here(i)) continue;
        places[i][array] = store.state_bytes;
        store.state_bytes += padded<std::byte>(bytes[i][array]);
        if (bytes[i][array] >= large) store.state_bytes += apart;
        else of_small += bytes[i][array];
      }
      if (of_small >= large) store.state_bytes += apart;
    }
    try {
      store.states = allocate<std::byte>(store.state_bytes);
    } catch (const std::bad_alloc&) {
      const auto& largest = std::ranges::max(store.parameters, {}, &bound_parameter<T>::size).info;
      throw out_of_memory(in_words("[optimizer] Expected memory for the state of ", store.state_bytes,
                                   " bytes. Received none. The largest parameter is ", in_quotes(largest.name), " with shape ",
                                   largest.shape, "."));
    }
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      auto& p = store.parameters[i];
      // An array of a parameter on another rank has a place in the list, but no memory.
      const auto at = [&](std::size_t array) -> void* {
        return bytes[i][array] ? store.states.get() + places[i][array] : nullptr;
      };
      name_keys_.push_back(scrambled(0, p.info.name));
      p.values.rest = at(0);
      if (p.values.rest && is_here(i)) begin_rest(p.values, p.size);
      for (const std::size_t l : bound.what.paths[p.path].transforms)
        for (std::size_t array = 0; array < bound.what.info(l).is.arrays; ++array) {
          const std::size_t s = p.arrays.size();
          p.place_state({at(1 + 2 * s), p.state_types[s], at(2 + 2 * s)});
          if (is_here(i)) fill(p, bound.what.code(l), array, p.arrays.back(), element_count(p.state_shapes[s]));
        }
    }
  }

  void fill(const bound_parameter<T>& p, const transform_code<T>& code, std::size_t array, const stored_array& to, std::size_t n) const {
    T* const own = to.as<T>();
    if (own && (p.data || n != p.size)) return code.fill(array, std::span<T>(own, n), p.data);
    if constexpr (std::is_same_v<T, float>) {
      std::vector<float> parameter(tile_elements), values(tile_elements);
      for (std::size_t first = 0; first < n; first += tile_elements) {
        const std::size_t count = std::min(tile_elements, n - first);
        if (n == p.size) read(p.values, first, count, parameter.data());
        code.fill(array, std::span<T>(values).first(count), parameter.data());
        write(values.data(), to, first, count);
      }
    }
  }

  void make_room_to_measure() {
    measured_of_.resize(store.parameters.size());
    for (const task& t : tasks_.back()) {
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
    std::size_t most_tasks = 1, most_terms = 0;
    for (std::size_t phase = 0; phase < what.phases.size(); ++phase) {
      auto& tasks = tasks_.emplace_back();
      for (std::size_t p = 0; p < what.paths.size(); ++p)
        if (const part& share = what.paths[p].parts[phase]; share.takes_part)
          add_tasks(tasks, p, bound.members[p], infos, share.whole_tensors);
      std::ranges::stable_sort(tasks, std::greater<>(), &task::cost);  // the longest first
      most_tasks = std::max(most_tasks, tasks.size());
      auto& first = first_member_.emplace_back(1, 0);
      for (const task& t : tasks) first.push_back(first.back() + t.last - t.first);
      const std::size_t l = what.phases[phase];
      most_terms = std::max(most_terms, first.back() * (what.first_sum[l + 1] - what.first_sum[l]));
    }
    seen_sums_.assign(most_tasks, sums_);
    terms_.resize(most_terms);

    most_tasks_ = most_tasks;
    make_work_room();
    bool may_throw = false;
    for (const auto& t : what.transforms) may_throw = may_throw || t.code->may_throw;
    if (may_throw) rollback_.resize(size_to_put_back(store));
  }

  // An update that waits at a model-wise barrier has its own memory. All others share their worker's.
  void make_work_room() {
    const program<T>& what = bound.what;
    std::vector<std::size_t> own(store.parameters.size(), 0);
    typename workspace<T>::room room;
    for (std::size_t p = 0; p < what.paths.size(); ++p) {
      const path<T>& way = what.paths[p];
      for (const auto& passes : way.passes)
        if (passes.size() > 1) room.update = std::max(room.update, tile_elements);
      const bool sees_whole = std::ranges::find(way.kinds, kind::tensorwise) != way.kinds.end();
      for (const std::size_t i : bound.members[p]) {
        const auto& one = store.parameters[i];
        if (way.waits()) own[i] = padded<T>(one.size);
        else if (way.crosses_memory()) room.update = std::max(room.update, padded<T>(one.size));
        for (const std::size_t l : way.transforms)
          room.scratch = std::max(room.scratch, padded<T>(what.info(l).scratch(one.info)));
        if (!copies_tiles_) continue;
        room.states = std::max(room.states, one.arrays.size());
        room.tiles = std::max(room.tiles, (2 + one.arrays.size()) * tile_elements);
        if (sees_whole) room.whole = std::max(room.whole, 2 * padded<T>(one.size));
      }
    }
    work_ = {own, room, worker_count(parallel_, most_tasks_)};
  }
};

extern template class host<float>;
extern template class host<double>;

}  // namespace thalweg::detail
