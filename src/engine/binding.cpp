#include "binding.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <unordered_set>

#include <thalweg/core/error.hpp>
#include <thalweg/core/field.hpp>

namespace thalweg::detail {

// Bytes: no machine has more addresses, and with the sums of the state's sizes no std::size_t overflows.
static constexpr std::size_t memory_there_may_be = static_cast<std::size_t>(PTRDIFF_MAX) >> 8;

void check_parameters(std::span<const parameter_info> parameters, std::span<const void* const> data,
                      std::size_t element_bytes) {
  const auto refuse = [](const std::string& expected, const std::string& received) {
    throw error("optimizer", "Expected ", expected, ". Received ", received, ".");
  };
  if (parameters.empty()) refuse("at least one parameter", "none");

  std::unordered_set<std::string> names;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const parameter_info& p = parameters[i];
    const std::string who = p.name.empty() ? in_words("parameter ", i, " with shape ", p.shape)
                                           : in_words("'", p.name, "' with shape ", p.shape);
    if (p.name.empty()) refuse("a name for every parameter", in_words("none for ", who));
    if (!names.insert(p.name).second) refuse("parameters of distinct names", in_words("'", p.name, "' twice"));
    std::size_t limit = memory_there_may_be / element_bytes;
    for (const std::size_t d : p.shape) {
      if (d == 0 || d > limit) refuse("dimensions >= 1 that fit into memory", who);
      limit /= d;
    }
    if (!data[i]) refuse("memory for every parameter", in_words("null for ", who));
    if (reinterpret_cast<std::uintptr_t>(data[i]) % element_bytes) refuse("memory aligned to its element type", who);
    if (p.order == storage_order::column_major && p.shape.size() != 2)
      refuse("a matrix where storage is column-major", who);
    for_each_field<parameter_info>([&](const auto& f) {
      check_in_range("optimizer", in_words(f.name, " of '", p.name, "'"), p.*f.place, f.allowed);
    });
  }

  std::vector<std::size_t> by_address(parameters.size());
  std::iota(by_address.begin(), by_address.end(), std::size_t{0});
  const auto begin = [&](std::size_t i) { return reinterpret_cast<std::uintptr_t>(data[i]); };
  std::ranges::sort(by_address, {}, begin);
  for (std::size_t k = 0; k + 1 < by_address.size(); ++k) {
    const std::size_t a = by_address[k], b = by_address[k + 1];
    if (begin(b) < begin(a) + parameters[a].size() * element_bytes)
      refuse("parameters in memory of their own",
             in_words("'", parameters[std::min(a, b)].name, "' and '", parameters[std::max(a, b)].name,
                      "', which overlap. Bind shared weights once; a head that is tied to an embedding is an "
                      "embedding"));
  }
}

}  // namespace thalweg::detail
