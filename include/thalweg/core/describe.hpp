// The table that a person reads before training: who is treated how, and what it costs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace thalweg::detail {

struct description {
  struct row {
    std::string parameter, shape, role, chain;
    std::vector<std::string> states;
    std::size_t bytes;  ///< of state
  };
  struct path {
    std::string chain;  ///< with its hyper-parameters
    std::vector<std::string> scalars;
    std::vector<std::string> computed_by;  ///< what stands behind transforms that leave the choice to the library
  };
  std::vector<row> rows;
  std::vector<path> paths;
  std::string header;
  std::size_t parameter_bytes = 0, state_bytes = 0, scratch_bytes = 0, rollback_bytes = 0;
};

std::string table(const description& d);

}  // namespace thalweg::detail
