#include <thalweg/core/describe.hpp>

#include <algorithm>
#include <array>

#include <thalweg/core/error.hpp>

namespace thalweg::detail {

namespace {

// Columns are counted in code points, so that names in any script line up.
std::size_t width(const std::string& text) {
  return std::ranges::count_if(text, [](unsigned char c) { return (c & 0xC0) != 0x80; });
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& w : words) text += in_words(text.empty() ? "" : ", ", w);
  return text.empty() ? "-" : text;
}

std::string with_unit(std::size_t bytes) {
  const char* const units[] = {" B", " KiB", " MiB", " GiB", " TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  return in_words(static_cast<double>(static_cast<long>(value * 10 + 0.5)) / 10, units[unit]);
}

}  // namespace

std::string table(const description& d) {
  using line = std::array<std::string, 6>;
  std::vector<line> lines{{"parameter", "shape", "role", "chain", "state", "bytes"}};
  for (const auto& r : d.rows)
    lines.push_back({r.parameter, r.shape, r.role, r.chain, joined(r.states), std::to_string(r.bytes)});

  std::array<std::size_t, 6> widths{};
  for (const auto& l : lines)
    for (std::size_t i = 0; i < l.size(); ++i) widths[i] = std::max(widths[i], width(l[i]));

  std::string text = in_words(d.header, "\n\n");
  for (std::size_t n = 0; n < lines.size(); ++n) {
    std::string row;
    for (std::size_t i = 0; i < lines[n].size(); ++i) {
      const std::string pad(widths[i] - width(lines[n][i]), ' ');
      const bool number = i + 1 == lines[n].size();
      row += in_words(i ? "  " : "", number ? pad : "", lines[n][i], number ? "" : pad);
    }
    text += in_words(row, "\n");
    if (n == 0) text += in_words(std::string(width(row), '-'), "\n");
  }

  text += "\n";
  for (const auto& p : d.paths) {
    text += in_words("chain    ", p.chain, "\n");
    if (!p.scalars.empty()) text += in_words("         ", joined(p.scalars), "\n");
    if (!p.computed_by.empty()) text += in_words("         ", joined(p.computed_by), "\n");
    for (const auto& remark : p.remarks) text += in_words("         ", remark, "\n");
  }
  text += in_words("memory   parameters ", with_unit(d.parameter_bytes), ", state ", with_unit(d.state_bytes),
                   ", scratch ", with_unit(d.scratch_bytes));
  if (d.rollback_bytes)
    text += in_words(", rollback ", with_unit(d.rollback_bytes),
                     " (a tensor-wise function may throw; noexcept saves this)");
  if (d.held_back_bytes) text += in_words("; an evaluation point needs ", with_unit(d.held_back_bytes), " more");
  return text += '\n';
}

}  // namespace thalweg::detail
