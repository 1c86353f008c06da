// The engine: it defines binding, a step, an evaluation point and a checkpoint for every chain and every device.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/device.hpp>
#include <thalweg/core/evaluation.hpp>
#include <thalweg/core/optimizer_class.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/step.hpp>
#include <thalweg/core/tensor.hpp>

#include "gradients.hpp"
#include "processes.hpp"
#include "settings.hpp"

namespace thalweg::detail {

template <class T>
class engine {
  options options_;  ///< as given at binding, except lr
  settings<T> settings_;
  long steps_ = 0;
  long calls_ = 0;  ///< of `step`, of which a gate gathers some
  gathered_losses losses_{};
  long skipped_ = 0;  ///< steps in a row, where there is a limit

  std::vector<clock_numbers> now_, next_;  ///< by clock; a step replaces them
  std::vector<double> spare_scalars_;
  std::vector<parameter_report> ends_;      ///< by clock: what a step ends in, without norms
  std::vector<parameter_report> measured_;  ///< of the latest step
  std::vector<stored_array> read_;  ///< the gradients of a step; null if the parameter does not change
  std::vector<bool> gathered_;  ///< by parameter: whether it had a gradient since the last step that was taken

  std::shared_ptr<device<T>> device_;
  processes* processes_ = nullptr;  ///< the device, if its process is one of several
  given_gradients<T> gradients_;
  std::span<const stored_array> given_;  ///< the gradients of a step: of all processes

  [[nodiscard]] const program<T>& what() const { return device_->bound.what; }
  [[nodiscard]] const storage<T>& store() const { return device_->store; }
  /// One of the parameters that take a path: their factors are the same.
  [[nodiscard]] const parameter_info& one_of(std::size_t path) const {
    return store().parameters[device_->bound.members[path].front()].info;
  }

public:
  engine(program<T> p, std::vector<parameter<T>> parameters, const options& o, const device_maker<T>& make_device);

  void take_gradient(std::size_t i, const gradient_view& g);
  step_report step(std::size_t gradient_count, const step_inputs& given);
  step_report flush();
  void drop();

  evaluation_guard<T> evaluation_point();
  void averaged(std::size_t i, std::span<T> out) const;

  [[nodiscard]] long steps() const { return steps_; }
  void set(std::string_view where, std::string_view name, double value);
  [[nodiscard]] double get(std::string_view name) const { return settings_.get(what().transforms, name); }

  void scale_rows(std::string_view name, std::span<const double> by);

  void save(const write_bytes& write) const;
  load_report load(const readable_bytes& from, const load_policy& policy);
  /// Runs work that may fail in only one process. All processes call it: if one fails, all throw.
  template <class F>
  auto together(std::string_view call, F f) const {
    using result = decltype(f());
    device_->check_usable();
    if (!processes_) return f();
    std::conditional_t<std::is_void_v<result>, bool, std::optional<result>> made{};
    std::exception_ptr failure;
    try {
      if constexpr (std::is_void_v<result>) f();
      else made.emplace(f());
    } catch (...) {
      failure = std::current_exception();
    }
    processes_->agree(where_it_stands(call), failure);
    if constexpr (!std::is_void_v<result>) return std::move(*made);
  }
  [[nodiscard]] std::string describe() const;

private:
  /// Gives the parameters their paths and states, but does not allocate the states.
  void bind(bound_program<T>& bound, std::vector<parameter<T>>& given, storage<T>& store) const;
  /// Of the parameter as it was given, by the number of a part.
  [[nodiscard]] std::string_view name_of_whole(std::optional<std::size_t> part) const {
    return part ? std::string_view(store().wholes[store().parameters[*part].whole].name) : "";
  }
  /// A call, and the numbers that must be the same in all processes.
  [[nodiscard]] std::string where_it_stands(std::string_view call) const;
  void check_loss_is_there(const step_inputs& given) const;
  /// Advances the clocks whose parameters have gradients, and separates the other parameters from them. Sets `read_`.
  /// Returns how many parameters do not change.
  std::size_t start_clocks(bool gathers);
  struct shared_clocks;
  /// New clocks: parameters with equal keys share one, which starts as their present clock.
  [[nodiscard]] shared_clocks clocks_by(const std::vector<std::size_t>& key) const;
  void share(shared_clocks by) noexcept;
  /// How many calls of `step` wait for the rest of their step.
  [[nodiscard]] long calls_gathered() const;
  /// The value of `calls_` when the next gradient begins a step.
  [[nodiscard]] long next_window() const;
  [[nodiscard]] bool gathers_now() const { return calls_gathered() > 0; }
  /// Skips the step because of the gradient of a part. Throws after too many skipped steps in a row.
  step_report skip(std::optional<std::size_t> part);
  /// Takes the step that is prepared.
  step_report take_step(std::size_t first_phase, double lr, std::size_t still, measure what);
  /// Computes the scalars of the model-wise transforms from the sums of the step.
  void learn_scalars();
  /// The scalars of model-wise transforms belong to the model: all clocks copy them from the first clock that has them.
  /// `knows(clock, transform, position, scalars)`.
  template <class F>
  void share_scalars(const std::vector<clock<T>>& clocks, std::vector<clock_numbers>& numbers, F knows) const;
  /// Runs the contextual transforms for the next step. `next_`: the clocks after it, if it is taken. Returns its lr.
  double prepare(const step_inputs& inputs, std::optional<long> gathered = {});
  [[nodiscard]] const path<T>& path_of(std::size_t clock) const { return what().paths[device_->bound.clocks[clock].path]; }
  /// The measurements of the step, for each parameter that changed.
  std::span<const parameter_report> measured();
  [[nodiscard]] average_of<T> average_by(std::size_t clock) const;
  /// Throws if x is needed but cannot be computed any more.
  void check_average(std::size_t clock) const;
  void average_into(std::size_t i, T* out) const;
  [[nodiscard]] progress progress_now() const;
  [[nodiscard]] std::string weights_in_words() const;  ///< of 16 bits, and the seed
};

}  // namespace thalweg::detail
