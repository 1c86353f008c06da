// The progress of a training: all that its next step needs, except the arrays, and how a checkpoint stores it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <thalweg/core/average_weights.hpp>
#include <thalweg/core/checkpoint.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/step.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg::detail {

/// The numbers that the parameters of one clock share, besides their path.
struct clock_numbers {
  std::vector<double> scalars{};  ///< of the path's transforms
  average_weights weights{};
  long steps = 0;         ///< in which the parameters had gradients
};

/// What the next step needs, except the arrays of `storage`.
struct progress {
  struct route {
    std::vector<std::string> names{};  ///< of its scalars: `transform.slot`
    clock_numbers numbers{};
  };

  std::string chain;  ///< its text
  options settings;  ///< those of binding, except lr
  std::map<std::string, double> changed{};  ///< settings that were changed since, by name
  long steps = 0, calls = 0;
  gathered_losses losses{};     ///< since the last step that was taken
  long skipped = 0;             ///< steps in a row, if the chain has a limit
  std::vector<route> routes{};  ///< indexed by `bound_parameter::clock`
  std::vector<bool> gathered{};  ///< by parameter: whether it had a gradient since the last step that was taken
};

struct loaded_progress {
  progress now;  ///< steps, calls, lr and the routes' numbers are those of the file
  std::vector<std::optional<std::size_t>> routes{};  ///< by parameter: index in `now.routes`; none for fresh state
  load_report report{};
};

/// Where the bytes of a checkpoint go, one piece after the other. `left`: the number of bytes after a piece.
using write_bytes = std::function<void(std::span<const std::byte> piece, std::size_t left)>;
/// Where the bytes of a checkpoint come from.
struct readable_bytes {
  std::string name;  ///< for messages
  std::size_t size = 0;
  std::function<void(std::size_t from, std::span<std::byte> to)> read;
};

/// The first write comes after all is checked. `average_into(i, out)` writes x of parameter i, or throws `error` if
/// there is none. It is called only at y.
template <class T>
void write_checkpoint(const write_bytes& write, const storage<T>& store, const progress& now,
                      const std::function<void(std::size_t i, T* out)>& average_into);

/// Fills the arrays of `store` and, from mode x, the averaged parameters. Calls `before_writing` after all is read and
/// checked.
template <class T>
loaded_progress read_checkpoint(const readable_bytes& from, storage<T>& store, progress now, const load_policy& policy,
                                const std::function<void(const loaded_progress&)>& before_writing);

/// Writes a file with `write_all`, and replaces the old file whole or not at all.
void replace_file(const std::string& path, const std::function<void(const write_bytes&)>& write_all);
readable_bytes bytes_of_file(const std::string& path);

}  // namespace thalweg::detail
