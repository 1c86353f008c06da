// Where an optimizer's arrays are and who runs its passes: the host's memory and threads, or a GPU's. The engine says what
// a step does; a device does it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/checkpoint.hpp>
#include <thalweg/core/describe.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/program.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg::detail {

/// A program that has met parameters, and what its transforms have prepared for the step that is next.
template <class T>
struct bound_program {
  program<T> what;
  std::vector<std::vector<std::size_t>> members;  ///< parameters by path
  std::vector<prepared_path<T>> prepared;         ///< by path; empty where no parameter takes one
};

/// x of a parameter: by the last transform of its path and the scalars of that.
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

  /// Allocates states, with their first values, and all that a step works in. `store.parameters` are there.
  virtual void bind(const options& o) = 0;
  /// Throws where nothing may be asked now: another GPU is current.
  virtual void check_usable() const {}

  // A step, in this order. `gradients`: one a parameter.
  virtual void begin_step(std::span<const T* const> gradients) = 0;
  virtual void run_phase(std::size_t phase) = 0;
  /// The sum of the transform that may stop a step, over the model; and the first parameter whose own sum stops it.
  virtual double sum_that_may_stop() = 0;
  virtual std::string_view stopped_by() = 0;
  /// A call that the gate does not let pass: its own states take the gradients in, and nothing else happens.
  virtual void absorb(long call) = 0;
  /// Runs the phases from `first` on. Where one throws, parameters and states are as before.
  virtual void run_phases(std::size_t first) = 0;

  virtual void copy(const T* from, std::size_t n, T* to) const = 0;
  /// x of parameter `i`, to `out`; y may be there.
  virtual void average(std::size_t i, const average_of<T>& by, T* out) const = 0;
  /// Whether `average` may write to such memory. Throws where not.
  virtual void check_room(std::size_t /*i*/, const T* /*out*/) const {}

  /// Puts x in the place of y: `average_into(i, out)` writes it. And back.
  virtual void hold_back(const std::function<void(std::size_t i, T* out)>& average_into) = 0;
  virtual void put_back() noexcept = 0;

  virtual void save(const write_bytes& write, const progress& now,
                    const std::function<void(std::size_t i, T* out)>& average_into) const = 0;
  virtual progress load(const readable_bytes& from, progress now) = 0;

  /// What it adds to a description: who runs, bytes of work memory.
  virtual void describe(description& d) const = 0;
  /// What computes the transform at a position, where it leaves the choice to others.
  [[nodiscard]] virtual std::string computed_by(std::size_t path, std::size_t position) const = 0;
};

/// The host: its memory, and the threads of `options::parallel`.
template <class T>
std::shared_ptr<device<T>> make_host(bound_program<T> bound);

}  // namespace thalweg::detail
