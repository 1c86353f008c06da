// The table that a person reads before training: how each parameter is treated, and what that costs.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thalweg/core/storage.hpp>

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
    std::vector<std::string> remarks;
  };
  std::vector<row> rows;
  std::vector<path> paths;
  std::string header;
  std::size_t parameter_bytes = 0, state_bytes = 0, scratch_bytes = 0, rollback_bytes = 0;
  std::size_t held_back_bytes = 0;  ///< y, while an evaluation point lives

  template <class T>
  void add(const bound_parameter<T>& p, std::string chain) {
    std::size_t state_elements = 0;
    for (const auto& shape : p.state_shapes) state_elements += element_count(shape);
    rows.push_back({p.info.name, to_text(std::span(p.info.shape)), std::string(to_text(p.info.role)), std::move(chain),
                    p.state_names, state_elements * sizeof(T)});
    parameter_bytes += p.size * sizeof(T);
    state_bytes += rows.back().bytes;
    if (p.averaged) held_back_bytes += p.size * sizeof(T);
  }
};

std::string table(const description& d);

}  // namespace thalweg::detail
