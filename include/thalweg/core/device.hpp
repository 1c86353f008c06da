// A device: where an optimizer's arrays are, and who runs its passes. It is the host with its threads, or a GPU. The
// engine decides what a step does, and a device does it.
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

/// Parameters of one path that had gradients in the same steps, and what the transforms have prepared for their next step.
template <class T>
struct clock {
  std::size_t path;
  prepared_path<T> prepared;
  bool runs = true;  ///< in this step: its parameters have gradients
};

/// A program that is bound to parameters. Its paths are those that parameters take, one for all parameters of one way with
/// the same `lr_factor` and `weight_decay_factor`. The first clocks are those of the paths; more come once parameters of
/// one path differ in when they have gradients.
template <class T>
struct bound_program {
  program<T> what;
  std::vector<std::vector<std::size_t>> members;  ///< parameters by path
  std::vector<clock<T>> clocks;
};

/// How x of a parameter is computed: by the last transform of its path, from that transform's scalars.
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

  /// Allocates the states, gives them their first values, and allocates the memory that a step works in. Before that the
  /// engine has set `store.parameters`.
  virtual void bind(const options& o) = 0;
  /// Throws where the device cannot be used now, because another GPU is current.
  virtual void check_usable() const {}

  /// Zeros, to be read as the gradient of parameter `i` if it has none. Throws where the device takes no step without a
  /// gradient.
  virtual const T* zeros(std::size_t i) = 0;

  // A step, in this order. `gradients`: one a parameter, null where its clock does not run. `number`: of the call of `step`.
  virtual void begin_step(std::span<const stored_array> gradients, long number, measure what) = 0;
  virtual void run_phase(std::size_t phase) = 0;
  /// A transform's sums over the model. A device waits for them.
  virtual std::span<const double> sums(std::size_t transform) = 0;
  /// The first parameter whose own sum stops the step.
  virtual std::optional<std::size_t> stopped_by() = 0;
  /// A transform's sum over the model, after the step, where nobody has to wait for it.
  [[nodiscard]] virtual std::optional<double> known_sum(std::size_t /*transform*/) const { return {}; }
  /// What the step has measured of parameter `i`.
  [[nodiscard]] virtual measured_sums measured(std::size_t /*i*/) const { return {}; }
  /// A call of `step` that the gate does not let pass: the states of the gate take the gradients in, nothing else happens.
  virtual void absorb(long call) = 0;
  /// Runs the phases from `first` on. If a phase throws, parameters and states are put back.
  virtual void run_phases(std::size_t first) = 0;

  /// Writes parameter `i` to `out`.
  virtual void copy_parameter(std::size_t i, T* out) const = 0;
  /// Writes x of parameter `i` to `out`, which may be the memory of y.
  virtual void average(std::size_t i, const average_of<T>& by, T* out) const = 0;
  /// Throws where `average` cannot write to such memory.
  virtual void check_room(std::size_t /*i*/, const T* /*out*/) const {}

  /// `hold_back` keeps y and puts x into the parameters; `average_into(i, out)` writes x. `put_back` puts y back.
  virtual void hold_back(const std::function<void(std::size_t i, T* out)>& average_into) = 0;
  virtual void put_back() noexcept = 0;

  virtual void save(const write_bytes& write, const progress& now,
                    const std::function<void(std::size_t i, T* out)>& average_into) const = 0;
  /// Calls `before_writing` once all is read and checked.
  virtual loaded_progress load(const readable_bytes& from, progress now, const load_policy& policy,
                               const std::function<void(const loaded_progress&)>& before_writing) = 0;

  /// Adds to a description who runs the passes, and the bytes of work memory.
  virtual void describe(description& d) const = 0;
  /// What computes the transform at a position, where the transform leaves the choice to the library.
  [[nodiscard]] virtual std::string computed_by(std::size_t path, std::size_t position) const = 0;
};

/// The host: its memory, and the threads of `options::parallel`.
template <class T>
std::shared_ptr<device<T>> make_host(bound_program<T> bound);

}  // namespace thalweg::detail
