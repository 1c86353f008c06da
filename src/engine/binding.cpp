#include "binding.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <unordered_set>

#include <thalweg/core/error.hpp>
#include <thalweg/core/field.hpp>

#include "utf8.hpp"

namespace thalweg::detail {

// Bytes: no machine has more addresses, and with the sums of the state's sizes no std::size_t overflows.
static constexpr std::size_t memory_there_may_be = static_cast<std::size_t>(PTRDIFF_MAX) >> 8;

static bool fits_memory(std::span<const std::size_t> shape, std::size_t element_bytes) {
  std::size_t limit = memory_there_may_be / element_bytes;
  for (const std::size_t d : shape) {
    if (d == 0) return true;
    if (d > limit) return false;
    limit /= d;
  }
  return true;
}

void check_parameters(std::span<const parameter_info> parameters, std::span<const given_memory> memory) {
  const auto refuse = [](const std::string& expected, const std::string& received) {
    throw error("optimizer", "Expected ", expected, ". Received ", received, ".");
  };
  if (parameters.empty()) refuse("at least one parameter", "none");
  const auto is_empty = [](const parameter_info& p) { return std::ranges::find(p.shape, std::size_t{0}) != p.shape.end(); };
  if (std::ranges::all_of(parameters, is_empty)) refuse("a parameter with elements", "none");

  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const parameter_info& p = parameters[i];
    const std::string who = p.name.empty() ? in_words("parameter ", i, " with shape ", p.shape)
                                           : in_words(in_quotes(p.name), " with shape ", p.shape);
    if (p.name.empty()) refuse("a name for every parameter", in_words("none for ", who));
    if (!is_utf8(p.name)) refuse("names in UTF-8", who);
    if (!fits_memory(p.shape, memory[i].bytes)) refuse("dimensions that fit into memory", who);
    if (is_empty(p)) continue;
    if (!memory[i].data) refuse("memory for every parameter", in_words("null for ", who));
    if (reinterpret_cast<std::uintptr_t>(memory[i].data) % memory[i].bytes) refuse("memory aligned to its element type", who);
    if (p.order == storage_order::column_major && p.shape.size() != 2)
      refuse("a matrix where storage is column-major", who);
    for_each_field<parameter_info>([&](const auto& f) {
      check_in_range("optimizer", in_words(f.name, " of ", in_quotes(p.name)), p.*f.member, f.allowed);
    });
  }
}

void check_parts(std::span<const parameter_part> parts, std::span<const given_memory> begins) {
  std::unordered_set<std::string> names;
  struct piece {
    std::uintptr_t begin, end;
    std::size_t part;
  };
  std::vector<piece> pieces;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const parameter_part& p = parts[i];
    if (!is_utf8(p.info.name))
      throw error("optimizer", "Expected names in UTF-8. Received ", in_quotes(p.info.name), " with shape ", p.info.shape, ".");
    if (!names.insert(p.info.name).second)
      throw error("optimizer", "Expected parameters of distinct names. Received ", in_quotes(p.info.name), " twice.");
    for (std::size_t line = 0; line < p.lines; ++line) {
      const auto begin = reinterpret_cast<std::uintptr_t>(begins[i].data) + (p.offset + line * p.stride) * begins[i].bytes;
      pieces.push_back({begin, begin + p.length * begins[i].bytes, i});
    }
  }
  std::ranges::sort(pieces, {}, &piece::begin);
  for (std::size_t k = 0; k + 1 < pieces.size(); ++k) {
    if (pieces[k + 1].begin >= pieces[k].end) continue;
    const auto [first, second] = std::minmax(pieces[k].part, pieces[k + 1].part);
    throw error("optimizer", "Expected parameters that do not overlap in memory. Received ", in_quotes(parts[first].info.name), " and ",
                in_quotes(parts[second].info.name),
                ", which overlap. Bind shared weights once; a head that is tied to an embedding is an embedding.");
  }
}

void check_text(std::string_view chain) {
  if (!is_utf8(chain)) throw error("optimizer", "Expected a chain in UTF-8. Received ", in_quotes(chain), ".");
}

void check_state(std::string_view name, std::span<const std::size_t> shape, const parameter_info& of,
                 std::size_t element_bytes) {
  if (!fits_memory(shape, element_bytes))
    throw error("optimizer", "Expected states that fit into memory. Received ", name, " with shape ", shape, " for ",
                in_quotes(of.name), " with shape ", of.shape, ".");
}

}  // namespace thalweg::detail
