// A device has the optimizer's arrays and runs its passes. It is the host with its threads, or a GPU. The engine
// decides what a step does, and the device does it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/progress.hpp>
#include <thalweg/core/describe.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/program.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg::detail {

/// Parameters of one path that had gradients in the same steps, and what the transforms prepared for their next step.
template <class T>
struct clock {
  std::size_t path;
  prepared_path<T> prepared;
  bool runs = true;  ///< whether its parameters have gradients in this step
};

/// A program that is bound to parameters. There is one path for all parameters with the same way through the chain,
/// `lr_factor` and `weight_decay_factor`. The first clocks are those of the paths. If parameters of one path have
/// gradients in different steps, more clocks are added.
template <class T>
struct bound_program {
  program<T> what;
  std::vector<std::vector<std::size_t>> members;  ///< parameters by path
  std::vector<clock<T>> clocks;
};

/// How to compute x of a parameter: with the last transform of its path, from that transform's scalars.
template <class T>
struct average_of {
  const transform_code<T>* code;
  const double* scalars;
  std::size_t first_array;  ///< of the transform's states
};

template <class T>
class device {
public:
  explicit device(bound_program<T> given) : bound(std::move(given)) {}
  device(const device&) = delete;
  virtual ~device() = default;

  bound_program<T> bound;
  storage<T> store;

  /// Allocates the states, sets their first values, and allocates the memory for steps. The engine has set
  /// `store.parameters` before.
  virtual void bind(const options& o) = 0;
  /// Throws if another GPU is current.
  virtual void check_usable() const {}

  /// Zeros, used as the gradient of parameter `i` if it has none. Throws if the device needs a gradient for each
  /// parameter.
  virtual const T* zeros(std::size_t i) = 0;

  // A step, in this order. `gradients`: one per parameter, null if its clock does not run. `number`: of the call.
  virtual void begin_step(std::span<const stored_array> gradients, long number, measure what) = 0;
  virtual void run_phase(std::size_t phase) = 0;
  /// A transform's sums over the model. A device waits for them.
  virtual std::span<const double> sums(std::size_t transform) = 0;
  /// The first parameter whose own sum stops the step.
  virtual std::optional<std::size_t> stopped_by() = 0;
  /// A transform's sum over the model, after the step, if no transform waits for it.
  [[nodiscard]] virtual std::optional<double> known_sum(std::size_t /*transform*/) const { return {}; }
  /// The norms of parameter `i` that the step measured.
  [[nodiscard]] virtual measured_sums measured(std::size_t /*i*/) const { return {}; }
  /// A call of `step` that the gate stops: only the states of the gate change.
  virtual void absorb(long call) = 0;
  /// Runs the phases from `first` on. If a phase throws, parameters and states are restored.
  virtual void run_phases(std::size_t first) = 0;

  /// Writes parameter `i` to `out`.
  virtual void copy_parameter(std::size_t i, T* out) const = 0;
  /// Writes x of parameter `i` to `out`, which may be the memory of y.
  virtual void average(std::size_t i, const average_of<T>& by, T* out) const = 0;
  /// Throws if `average` cannot write to this memory.
  virtual void check_room(std::size_t /*i*/, const T* /*out*/) const {}

  /// `hold_back` keeps y and puts x into the parameters; `average_into(i, out)` writes x. `put_back` puts y back.
  virtual void hold_back(const std::function<void(std::size_t i, T* out)>& average_into) = 0;
  virtual void put_back() noexcept = 0;

  /// Multiplies element `e` of parameter `i`, and of the states that are copies of it, by `by[row of e / rows]`, where `rows`
  /// of them share a number. Throws where the device cannot.
  virtual void scale_rows(std::size_t i, std::span<const double> by, std::size_t rows, long number) = 0;

  virtual void save(const write_bytes& write, const progress& now,
                    const std::function<void(std::size_t i, T* out)>& average_into) const = 0;
  /// Calls `before_writing` after all is read and checked.
  virtual loaded_progress load(const readable_bytes& from, progress now, const load_policy& policy,
                               const std::function<void(const loaded_progress&)>& before_writing) = 0;

  /// Adds to a description what runs the passes, and the bytes of scratch memory.
  virtual void describe(description& d) const = 0;
  /// Names the library that computes the transform at a position, if the transform leaves the choice to thalweg.
  [[nodiscard]] virtual std::string computed_by(std::size_t path, std::size_t position) const = 0;
};

/// The host: its memory, and the threads of `options::parallel`.
template <class T>
std::shared_ptr<device<T>> make_host(bound_program<T> bound);

}  // namespace thalweg::detail
