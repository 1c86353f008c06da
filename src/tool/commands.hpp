// What the program `thalweg` does with checkpoints.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <thalweg/core/parameter.hpp>

#include "tensor_file.hpp"

namespace thalweg::tool {

/// The chain, the steps, the options, each array with its type, its shape and its norm, and whether the checksums agree.
std::string shown(const tensor_file& file);

/// The differences; empty if there are none.
std::string differences(const tensor_file& a, const tensor_file& b);

/// What PyTorch's file does not say of the optimizer.
struct optimizer_of_file {
  std::string chain;    ///< as `parse` reads it
  std::string options;  ///< `weight_decay=0.01, warmup_steps=100`
  std::vector<std::pair<std::string, role>> roles;  ///< of the parameters that match a pattern; the first counts
  std::optional<long> step;  ///< where the file has none
};

/// From the state of PyTorch's AdamW or Muon, with the parameters it belongs to, to a checkpoint that the optimizer loads.
std::string from_torch(const tensor_file& file, const optimizer_of_file& optimizer);

/// Converts back, the state only.
std::string to_torch(const tensor_file& checkpoint);

}  // namespace thalweg::tool
