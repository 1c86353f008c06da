#include <thalweg/core/instruction_sets.hpp>

#include <string>
#include <vector>

#include <thalweg/core/error.hpp>

#include "dispatched.hpp"

namespace thalweg {

namespace {

struct known_sets {
  std::vector<std::string_view> names;
  std::vector<passes::available_set> sets;
};

const known_sets& of_this_machine() {
  static const auto all = []<class... Arch>(xsimd::arch_list<Arch...>) {
    known_sets found;
    std::size_t number = 0;
    const auto add = [&](bool there, std::string_view name) {
      if (there) {
        found.names.push_back(name);
        found.sets.push_back({number, in_words("compiled for ", name)});
      }
      ++number;
    };
    (add(passes::is_available<Arch>(), Arch::name()), ...);
    return found;
  }(passes::architectures());
  return all;
}

}  // namespace

std::span<const std::string_view> instruction_sets() { return of_this_machine().names; }

const passes::available_set& passes::available(std::size_t which) {
  const auto& sets = of_this_machine().sets;
  if (which >= sets.size())
    throw error("optimizer", "Expected an instruction set below ", sets.size(), ". Received ", which, ".");
  return sets[which];
}

namespace detail {

namespace {
const passes::dispatched& widest() {
  static const auto set = passes::dispatched::in(passes::available(0).number);
  return set;
}
}  // namespace

void read(const stored_array& from, std::size_t first, std::size_t n, float* to) { widest().read(from, first, n, to); }
void write(const float* from, const stored_array& to, std::size_t first, std::size_t n, rounding how) {
  widest().write(from, to, first, n, how);
}

}  // namespace detail
}  // namespace thalweg
