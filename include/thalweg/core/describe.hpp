// The table of `describe()`: the chain, the state and the bytes of each parameter.
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
    std::vector<std::string> computed_by;  ///< for transforms that leave the choice to the library: who computes them
    std::vector<std::string> remarks;
  };
  std::vector<row> rows;
  std::vector<path> paths;
  std::string header;
  std::size_t parameter_bytes = 0, state_bytes = 0, scratch_bytes = 0, rollback_bytes = 0;
  std::size_t held_back_bytes = 0;  ///< y, during an evaluation point

  template <class T>
  void add(const bound_parameter<T>& p, std::string chain) {
    std::size_t bytes = p.values.rest ? bytes_of_rest(p.values.type, p.size) : 0;
    std::vector<std::string> states;
    if (p.values.rest) states.push_back(in_words("the rest of ", p.values.type));
    for (std::size_t s = 0; s < p.state_names.size(); ++s) {
      const number_type type = p.state_types[s];
      const std::size_t count = element_count(p.state_shapes[s]);
      bytes += count * bytes_of(type) + bytes_beside_state(type, count);
      states.push_back(type == type_of<T> ? p.state_names[s] : in_words(p.state_names[s], " in ", type));
    }
    rows.push_back({p.info.name, to_text(std::span(p.info.shape)), std::string(to_text(p.info.role)), std::move(chain),
                    std::move(states), bytes});
    parameter_bytes += p.bytes();
    state_bytes += bytes;
    if (p.averaged) held_back_bytes += p.bytes();
  }
};

std::string table(const description& d);

}  // namespace thalweg::detail
