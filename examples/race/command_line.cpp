#include "command_line.hpp"

#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <utility>

#include "error.hpp"

namespace race {
namespace {

constexpr std::size_t column = 28, width = 80;

// "      --steps N             the budget", and more lines where the meaning is long.
std::string help(const flag& f) {
  std::string text, line = "      --" + f.name + (f.value.empty() ? "" : " " + f.value);
  line.resize(std::max(line.size() + 1, column - 1), ' ');
  std::istringstream words(f.meaning + (f.otherwise.empty() ? "" : " (default: " + f.otherwise + ")"));
  for (std::string word; words >> word; line += " " + word)
    if (line.size() + 1 + word.size() > width) text += std::exchange(line, std::string(column - 1, ' ')) + "\n";
  return text + line + "\n";
}

}  // namespace

command_line::command_line(const std::vector<flag>& flags, int argc, const char* const* argv) {
  std::vector<option> options;
  for (const flag& f : flags) {
    options.push_back({f.name.c_str(), f.value.empty() ? no_argument : required_argument, nullptr, 0});
    otherwise_[f.name] = f.otherwise;
  }
  options.push_back({});

  opterr = 0;  // we say what is wrong
  optind = 0;  // a new command line
  const auto next = [] { return std::max(optind, 1); };
  while (next() < argc) {
    const std::string word = argv[next()];
    int index = 0;
    const int found = getopt_long(argc, const_cast<char* const*>(argv), "+:", options.data(), &index);
    if (found == -1) break;
    if (found == ':') throw error("a value after " + word, "nothing");
    // No abbreviations: a script that looks for a flag must find it.
    if (found == '?' || word.substr(2, word.find('=') - 2) != flags[static_cast<std::size_t>(index)].name)
      throw error("the options of --help", "'" + word + "'");
    given_[flags[static_cast<std::size_t>(index)].name] = optarg ? optarg : "";
  }
  if (next() < argc) throw error("options only (see --help)", "'" + std::string(argv[next()]) + "'");
}

const std::string& command_line::operator[](std::string_view name) const {
  const auto given = given_.find(name);
  return given != given_.end() ? given->second : otherwise_.find(name)->second;
}

std::optional<command_line> read(std::string_view about, std::vector<flag> flags, int argc, const char* const* argv) {
  flags.push_back({"help", "this text"});
  command_line line(flags, argc, argv);
  if (!line.has("help")) return line;
  std::string text = std::string(about) + "\n\n";
  for (const flag& f : flags) text += help(f);
  std::fputs(text.c_str(), stdout);
  return std::nullopt;
}

}  // namespace race
