// The host as one rank of many: gradients are averaged over the ranks, each parameter is stepped by its owner, and its owner
// gives it to all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>
#include <thalweg/core/error.hpp>
#include <thalweg/core/type_id.hpp>
#include <thalweg/transforms/accumulate.hpp>
#include <thalweg/transforms/when_finite.hpp>

#include "../engine/host.hpp"
#include "../engine/tasks.hpp"
#include "averaging.hpp"
#include "communicator.hpp"
#include "courier.hpp"
#include "member.hpp"
#include "numbers.hpp"
#include "own_sums.hpp"
#include "plan.hpp"
#include "post.hpp"
#include "returning.hpp"

namespace thalweg::mpi::detail {

using thalweg::detail::bound_program;
using thalweg::detail::program;
using thalweg::detail::task_body;

template <class T>
class rank : public thalweg::detail::host<T>, public member<T> {
  using base = thalweg::detail::host<T>;

  /// The tasks of a phase that have to do with a bucket's parameters here, and their numbers in the phase.
  struct part_of_phase {
    std::vector<thalweg::detail::task> tasks;
    std::vector<std::size_t> numbers;
  };

  std::vector<unsigned char> has_gradient_;  ///< by parameter: the types of the ranks' gradients, a bit each
  std::vector<stored_array> given_;
  std::span<const stored_array> own_;        ///< the gradients of this rank
  std::vector<std::vector<part_of_phase>> parts_;  ///< by phase and bucket
  std::optional<std::size_t> now_;                 ///< the bucket that is stepped
  std::mutex mail_;
  bool collects_ = false;                          ///< the gradients still have to be collected

  // Where each rank gathers its own gradients.
  bool gathers_ = false;
  mutable own_sums<T> own_sums_;
  mutable bool state_holds_ = true;  ///< a part of this step's sum, from before a checkpoint
  bool is_given_ = false;            ///< gradients that are not gathered yet
  bool steps_ = false;               ///< rather than judges
  long number_ = 0;
  double judgement_ = 0;
  std::vector<stored_array> no_gradients_;
  std::vector<thalweg::detail::task> to_judge_;  ///< `path` is the parameter

protected:
  using base::bound;
  using base::store;
  using of_many = member<T>;
  using of_many::agree;
  using of_many::comm;
  using of_many::is_replicated;
  using of_many::me;
  using of_many::or_end_all;
  using of_many::plan_;
  using of_many::ranks;
  using of_many::together;

  std::vector<number_type> types_;           ///< by parameter: as which its gradients travel
  std::vector<stored_array> parameters_;     ///< by parameter: its values here
  std::vector<number_type> sum_types_;       ///< all of T
  wire gradients_as_, sums_as_;
  std::unique_ptr<collecting> collecting_;
  std::unique_ptr<distributing> distributing_;  ///< null where all ranks step everything
  std::vector<T> mean_;                      ///< the gradients of the parameters here
  std::vector<T*> means_;                    ///< by parameter; null where it is not here

  [[nodiscard]] bool is_here(std::size_t i) const override { return this->steps(i); }
  [[nodiscard]] bool takes(std::size_t i) const override { return is_here(i) && (!now_ || plan_.bucket_of[i] == *now_); }
  [[nodiscard]] std::size_t judged(std::size_t i) const override { return gathers_ ? elements_given(i) : base::judged(i); }

  // What depends on where the parameters are: here, on every rank.
  /// Between the plan and the first state.
  virtual void take_parameters() {}
  [[nodiscard]] virtual bool has_all_parameters() const { return true; }
  /// How many elements a gradient of this rank has.
  [[nodiscard]] virtual std::size_t elements_given(std::size_t i) const { return store.parameters[i].size; }
  /// How gradients and parameters travel.
  virtual void make_ways() {
    collecting_ = std::make_unique<averaging<T>>(ranks(), plan_, this->messages_of_means(), means_);
    if (!is_replicated()) distributing_ = std::make_unique<returning>(ranks(), plan_, parameters_);
  }

public:
  rank(bound_program<T> what, std::shared_ptr<binding> b, layout l, std::size_t elements_a_message)
      : base(std::move(what)), of_many(std::move(b), l, elements_a_message) {}

  void bind(const options& o) override {
    store.gather();
    this->make_plan_together(o, bound, store, [this](std::size_t i) {
      const auto& p = store.parameters[i];
      return std::span(static_cast<const std::byte*>(p.values.data), has_all_parameters() ? p.bytes() : 0);
    });
    together("bind", [&] { make_room(); });
    take_parameters();
    together("bind", [&] {
      base::bind(o);
      share_phases();
      make_room_to_gather();
    });
  }

  void check_usable() const override { communicator::check_thread(); }

  std::span<const stored_array> mean(std::span<const stored_array> own, step_inputs& inputs) override {
    this->take_inputs(inputs);
    const auto bit = [](number_type t) { return static_cast<unsigned char>(1u << static_cast<unsigned>(t)); };
    for (std::size_t i = 0; i < own.size(); ++i) has_gradient_[i] = own[i].data ? bit(own[i].type) : 0;
    MPI_Allreduce(MPI_IN_PLACE, has_gradient_.data(), static_cast<int>(has_gradient_.size()), MPI_BYTE, MPI_BOR, comm());
    own_ = own;
    for (std::size_t i = 0; i < own.size(); ++i) {
      const auto has = has_gradient_[i];
      if (gathers_ && has && !own[i].data) given_[i] = {const_cast<T*>(this->zeros(i)), type_of<T>};  // is only read
      else if (gathers_) given_[i] = own[i];
      else given_[i] = has ? stored_array{means_[i] ? means_[i] : mean_.data(), type_of<T>} : stored_array{};
    }
    is_given_ = gathers_;
    collects_ = !gathers_ && std::ranges::any_of(has_gradient_, [](auto has) { return has != 0; });
    if (!collects_) return given_;
    // As many bits as all ranks have given; where they differ, those of the computation.
    bool changed = false;
    for (std::size_t i = 0; i < own.size(); ++i) {
      number_type type = type_of<T>;
      for (const number_type t : {number_type::bfloat16, number_type::float16})
        if (has_gradient_[i] == bit(t)) type = t;
      if (has_gradient_[i] && std::exchange(types_[i], type) != type) changed = true;
    }
    if (changed) or_end_all([this] { gradients_as_ = wire_of(types_); });
    return given_;
  }

  void begin_step(std::span<const stored_array> gradients, long number, measure what) override {
    base::begin_step(gradients, number, what);
    number_ = number;
  }

  void run_phase(std::size_t phase) override {
    if (gathers_ && !steps_) judge();
    else base::run_phase(phase);
  }
  std::span<const double> sums(std::size_t transform) override {
    return gathers_ && transform == bound.what.stop ? std::span<const double>(&judgement_, 1) : base::sums(transform);
  }

  std::optional<std::size_t> stopped_by() override {
    return this->first_of_all(base::stopped_by(), store.parameters.size());
  }

  void absorb(long call) override {
    if (gathers_) return gather(call);
    begin_to_collect();
    collect_all();
    base::absorb(call);
  }

  void run_phases(std::size_t first) override {
    if (!gathers_) return base::run_phases(first);
    if (is_given_) gather(number_);
    collects_ = own_sums_.holds();
    for (std::size_t i = 0; i < no_gradients_.size(); ++i)
      no_gradients_[i] = this->gradients_[i].data ? stored_array{const_cast<T*>(this->zeros(i)), type_of<T>} : stored_array{};  // is only read
    this->gradients_ = no_gradients_;
    const bool held = state_holds_;
    steps_ = true;
    try {
      base::run_phases(first);
    } catch (...) {
      steps_ = false;
      state_holds_ = held;
      if (is_given_) own_sums_.put_back();
      throw;
    }
    steps_ = false;
    own_sums_.forget();
  }

  void hold_back(const std::function<void(std::size_t, T*)>& average_into) override {
    or_end_all([&] { base::hold_back(average_into); });
  }

  void copy_parameter(std::size_t i, T* out) const override {
    const auto& p = store.parameters[i];
    const bool is_everywhere = is_replicated() || !p.values.rest || (store.at_evaluation_point && p.averaged);
    if (is_everywhere || is_here(i)) base::copy_parameter(i, out);
    if (!is_everywhere) give(i, out);
  }
  void average(std::size_t i, const thalweg::detail::average_of<T>& by, T* out) const override {
    by.code->average(by.scalars, 0, {});  // throws in all ranks, or in none
    if (is_here(i)) base::average(i, by, out);
    if (!is_replicated()) give(i, out);
  }

  void save(const thalweg::detail::write_bytes& write, const thalweg::detail::progress& now,
            const std::function<void(std::size_t, T*)>& average_into) const override {
    store.gather();
    // What the ranks have gathered so far is added up, here as in the file.
    if (gathers_ && own_sums_.holds()) or_end_all([this] { add_up_sums(); });
    this->save_together(store, write, now, average_into, has_all_parameters());
  }

  thalweg::detail::loaded_progress load(
      const thalweg::detail::readable_bytes& from, thalweg::detail::progress now, const load_policy& policy,
      const std::function<void(const thalweg::detail::loaded_progress&)>& before_writing) override {
    store.gather();
    auto loaded = this->load_together(store, from, std::move(now), policy, before_writing, has_all_parameters());
    store.scatter();
    own_sums_.forget();
    state_holds_ = true;
    return loaded;
  }

  void describe(thalweg::detail::description& d) const override {
    base::describe(d);
    traffic t = collecting_->sent(gathers_ ? sums_as_ : gradients_as_, sums_as_);
    if (distributing_) t += distributing_->sent();
    d.header += in_words(d.header.empty() ? "" : ", ", this->words("MPI", t, store.state_bytes),
                         gathers_ ? in_words(", and ", own_sums_.bytes(), " for the sums of its own gradients") : "", ")");
  }

protected:
  void join(std::exception_ptr failure, std::span<std::byte> computed) override {
    agree("step", failure);
    if (is_replicated()) return;
    MPI_Allreduce(MPI_IN_PLACE, computed.data(), static_cast<int>(computed.size() / sizeof(std::uint64_t)), MPI_UINT64_T, MPI_BOR,
                  comm());
  }

  /// Waits for the gradients of each bucket, runs what is to be done with it, and sends its new parameters. Messages go on
  /// between two tasks. A matrix is a long task: meanwhile they go on on another thread, if MPI allows several. If it does not,
  /// all gradients come first, for no rank to wait until another has done with a matrix.
  void run_all(std::size_t phase, task_body body) override {
    const bool returns = distributing_ && phase + 1 == this->tasks().size();
    const auto let_go_on = [this, returns] {
      bool moved = false;
      with_mail([&] {
        if (collects_) moved = collecting_->advance();
        if (returns && distributing_->advance()) moved = true;
      });
      return moved;
    };
    begin_to_collect();
    if (returns) distributing_->begin();
    std::optional<courier> beside;
    if (has_matrices(phase) && (collects_ || returns) && communicator::may_use_threads()) {
      try {
        beside.emplace(let_go_on);
      } catch (...) {}  // no more threads, or no memory for one
    }
    if (has_matrices(phase) && !beside) collect_all();

    const auto caller = std::this_thread::get_id();
    std::exception_ptr failure;
    for (std::size_t b = 0; b < plan_.buckets.size(); ++b) {
      if (collects_) wait_for(b);
      const part_of_phase& part = parts_[phase][b];
      const auto one = [&](std::size_t number, std::size_t worker) {
        body(part.numbers[number], worker);
        if (std::this_thread::get_id() == caller) let_go_on();
      };
      now_ = b;
      try {
        if (!failure) this->run(part.tasks, task_body(one));
      } catch (...) {
        failure = std::current_exception();  // the others wait for what this rank has to send
      }
      now_.reset();
      if (returns) with_mail([&] { distributing_->begin(b); });
    }
    end_collecting();
    if (returns) with_mail([this] { distributing_->finish(); });
    if (failure) std::rethrow_exception(failure);
  }

  [[nodiscard]] wire wire_of(std::span<const number_type> types) const {
    std::vector<std::size_t> bytes;
    for (const number_type t : types) bytes.push_back(bytes_of(t));
    return {plan_, std::move(bytes)};
  }

private:
  // ---- collecting gradients ----

  /// Messages are one thread's at a time.
  template <class F>
  void with_mail(F f) {
    const std::scoped_lock alone(mail_);
    or_end_all(f);
  }
  [[nodiscard]] bool has_matrices(std::size_t phase) const {
    return std::ranges::any_of(bound.what.paths, [&](const auto& way) { return way.parts[phase].takes_part && way.parts[phase].whole_tensors; });
  }
  void begin_to_collect() {
    if (!collects_) return;
    or_end_all([this] {
      if (gathers_) collecting_->begin(own_sums_.arrays(), sum_types_, sums_as_);
      else collecting_->begin(own_, types_, gradients_as_);
    });
  }
  void wait_for(std::size_t b) {
    with_mail([&] { collecting_->wait_for(b); });
    if (!gathers_) return;
    for (std::size_t i = 0; i < store.parameters.size(); ++i)
      if (plan_.bucket_of[i] == b && is_here(i)) add_to_state(i);
  }
  void end_collecting() {
    if (!collects_) return;
    with_mail([this] {
      collecting_->finish();
      collects_ = false;
    });
  }
  void collect_all() {
    for (std::size_t b = 0; collects_ && b < plan_.buckets.size(); ++b) wait_for(b);
    end_collecting();
  }

  // ---- gathering the gradients of several calls on each rank ----

  [[nodiscard]] const thalweg::detail::transform_info& gate() const { return bound.what.info(bound.what.gate); }

  /// Whether sums of each rank's own gradients have a mean that is the sum of the means, and nothing but NaN and infinity
  /// stops a call. Else the gradients of each call are averaged.
  [[nodiscard]] bool may_gather() const {
    const program<T>& what = bound.what;
    return what.has_gate() && gate().is.type == thalweg::detail::id_of<accumulate>() && !what.transforms[what.gate].state && !gate().opens(1) &&
           (!what.may_stop() || what.info(what.stop).is.type == thalweg::detail::id_of<when_finite>());
  }

  void make_room_to_gather() {
    gathers_ = may_gather();
    if (!gathers_) return;
    std::vector<std::size_t> elements;
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      elements.push_back(elements_given(i));
      to_judge_.push_back({i, 0, 0, 0, elements.back(), static_cast<double>(elements.back())});
    }
    std::ranges::stable_sort(to_judge_, std::greater<>(), &thalweg::detail::task::cost);
    own_sums_ = own_sums<T>(elements, this->puts_back());
    no_gradients_.resize(elements.size());
    this->zeros(0);
  }

  void gather(long call) {
    if (gate().opens(call - 1)) {  // the first of a step
      own_sums_.forget();
      state_holds_ = false;
    }
    own_sums_.absorb(*bound.what.transforms[bound.what.gate].code, call, this->gradients_, [this](auto tasks, task_body body) { this->run(tasks, body); });
  }

  /// Whether this call's gradients may be gathered: each rank judges its own, and all hear of all.
  void judge() {
    std::vector<double> of_one;
    together("step", [&] {
      of_one.resize(store.parameters.size());
      const auto body = [&](std::size_t number, std::size_t worker) {
        const auto& t = to_judge_[number];
        if (this->clock_of(t.path).runs) of_one[t.path] = this->sum_of_one(t.path, t.end, worker);
      };
      this->run(to_judge_, task_body(body));
    });
    judgement_ = 0;
    for (const double sum : of_one) judgement_ += sum;
    MPI_Allreduce(MPI_IN_PLACE, &judgement_, 1, MPI_DOUBLE, MPI_SUM, comm());  // of zeros, or NaN
  }

  /// The mean of the ranks' sums becomes the state of `accumulate`, or a part of it.
  void add_to_state(std::size_t i) const {
    const auto& p = store.parameters[i];
    const auto& way = bound.what.paths[p.path];
    T* const state = p.states[way.first_array[way.gate]];
    const T* const more = means_[i];
    if (!state_holds_) std::copy_n(more, p.size, state);
    else
      for (std::size_t k = 0; k < p.size; ++k) state[k] += more[k];
  }
  void add_up_sums() const {
    collecting_->begin(own_sums_.arrays(), sum_types_, sums_as_);
    for (std::size_t b = 0; b < plan_.buckets.size(); ++b) collecting_->wait_for(b);
    collecting_->finish();
    for (std::size_t i = 0; i < store.parameters.size(); ++i)
      if (is_here(i)) add_to_state(i);
    own_sums_.forget();
    state_holds_ = true;
  }

  // ---- binding ----

  void make_room() {
    const std::size_t count = store.parameters.size();
    has_gradient_.resize(count);
    given_.resize(count);
    sum_types_.assign(count, type_of<T>);
    for (const auto& p : store.parameters) {
      types_.push_back(p.values.type);
      parameters_.push_back({p.values.data, p.values.type});
    }
    sums_as_ = wire_of(sum_types_);
    gradients_as_ = wire_of(types_);
    mean_.resize(std::max<std::size_t>(1, is_replicated() ? plan_.length : plan_.owned(me())));
    for (std::size_t i = 0; i < count; ++i)
      means_.push_back(is_here(i) ? mean_.data() + (is_replicated() ? plan_.begin[i] : plan_.place[i]) : nullptr);
    make_ways();
  }

  void share_phases() {
    for (const auto& tasks : this->tasks()) {
      auto& parts = parts_.emplace_back(plan_.buckets.size());
      for (std::size_t number = 0; number < tasks.size(); ++number) {
        const auto& t = tasks[number];
        for (std::size_t m = t.first; m < t.last; ++m) {
          const std::size_t i = bound.members[t.path][m];
          part_of_phase& part = parts[plan_.bucket_of[i]];
          if (!is_here(i) || (!part.numbers.empty() && part.numbers.back() == number)) continue;
          part.tasks.push_back(t);
          part.numbers.push_back(number);
        }
      }
    }
  }

  /// What the owner of a parameter has, to all.
  void give(std::size_t i, T* values) const {
    in_parts(store.parameters[i].size, [&](std::size_t begin, int count) {
      MPI_Bcast(values + begin, count, std::is_same_v<T, float> ? MPI_FLOAT : MPI_DOUBLE, plan_.owner[i], comm());
    });
  }

};

}  // namespace thalweg::mpi::detail
