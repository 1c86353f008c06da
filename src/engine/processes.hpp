// Several processes that run one optimizer: each calls the same members in the same order, and holds a part of the state.
#pragma once

#include <exception>
#include <span>
#include <string_view>

#include <thalweg/core/step.hpp>
#include <thalweg/core/stored.hpp>

namespace thalweg::detail {

/// What a device is as well, if its process is one of several.
class processes {
public:
  virtual ~processes() = default;

  /// All processes come here with every call. Throws in all of them where one has failed, or where their calls differ.
  virtual void agree(std::string_view call, std::exception_ptr failure) const = 0;
  /// The gradients of a step, by part: the means of those that the processes give, which may arrive only while the step runs;
  /// or this process's own, where each gathers its own. Where all lack one, it is null. The loss becomes the mean of theirs.
  virtual std::span<const stored_array> mean(std::span<const stored_array> own, step_inputs& inputs) = 0;
};

}  // namespace thalweg::detail
