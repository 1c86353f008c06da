#include "aligned.hpp"

#include <algorithm>
#include <cstddef>

namespace race {

std::string aligned(const std::vector<cells>& rows) {
  const auto length = [](const std::string& text) {  // in characters: UTF-8's continuation bytes do not count
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
  };
  std::vector<std::size_t> widths(rows.front().size());
  for (const cells& row : rows)
    for (std::size_t j = 0; j < row.size(); ++j) widths[j] = std::max(widths[j], length(row[j]));

  std::string text;
  for (const cells& row : rows) {
    for (std::size_t j = 0; j < row.size(); ++j) {
      const std::string space(widths[j] - length(row[j]), ' ');
      text += "| " + (j == 0 ? row[j] + space : space + row[j]) + ' ';
    }
    text += "|\n";
    if (&row != &rows.front()) continue;
    for (std::size_t j = 0; j < row.size(); ++j) {
      const std::string dashes(widths[j] + 1, '-');
      text += j == 0 ? "|:" + dashes : "|" + dashes + ":";
    }
    text += "|\n";
  }
  return text;
}

}  // namespace race
