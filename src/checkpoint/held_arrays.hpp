// Checkpoints of an optimizer whose state is divided among processes. All processes write, or read, in the same order. One
// process has the file.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include <thalweg/core/progress.hpp>

namespace thalweg::detail {

/// Which arrays are here, and how they come to the process that has the file.
struct held_arrays {
  std::function<bool(std::size_t parameter)> is_here;
  bool has_all_parameters;  ///< their values; or those are where their arrays are
  /// The bytes of a parameter's array, in the process that has the file; none in others. `own`: the bytes here, all or none.
  std::function<std::span<const std::byte>(std::size_t parameter, std::size_t bytes, std::span<const std::byte> own)> bring;
  /// If `check` throws in one process, throws the same in all.
  std::function<void(const std::function<void()>& check)> together;
};

/// As the functions of core/checkpoint.hpp. `write` is called with empty pieces elsewhere than at the file.
template <class T>
void write_checkpoint(const write_bytes& write, const storage<T>& store, const progress& now,
                      const std::function<void(std::size_t i, T* out)>& average_into, const held_arrays* held);
template <class T>
loaded_progress read_checkpoint(const readable_bytes& from, storage<T>& store, progress now, const load_policy& policy,
                                const std::function<void(const loaded_progress&)>& before_writing, const held_arrays* held);

}  // namespace thalweg::detail
