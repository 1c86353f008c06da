#pragma once
// The flags of a program: what --help says of them, and what was given.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace race {

struct flag {
  std::string name, meaning;
  std::string value{};      // what --help calls it: "FOLDER"; nothing where the flag stands alone
  std::string otherwise{};  // its value where it is not given
};

class command_line {
  std::map<std::string, std::string, std::less<>> given_, otherwise_;

public:
  // Throws `error`.
  command_line(const std::vector<flag>&, int argc, const char* const* argv);

  bool has(std::string_view name) const { return given_.contains(name); }
  // As given, or as otherwise.
  const std::string& operator[](std::string_view name) const;
};

// Nothing, where all that was asked for is help: it is then printed. Throws `error`.
std::optional<command_line> read(std::string_view about, std::vector<flag>, int argc, const char* const* argv);

}  // namespace race
