#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include <thalweg/core/error.hpp>

#include "../checkpoint/checksum.hpp"
#include "commands.hpp"

namespace thalweg::tool {

namespace {

using row = std::array<std::string, 6>;

std::string of_four_digits(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", number);
  return text.data();
}

/// The larger magnitude; NaN stays NaN.
double larger(double most, double x) { return most != most || std::abs(x) <= most ? most : std::abs(x); }

/// How many characters of a terminal a text takes: the bytes that continue a character of UTF-8 do not count.
std::size_t length(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string table(const std::vector<row>& rows) {
  std::array<std::size_t, std::tuple_size_v<row>> widths{};
  for (const row& r : rows)
    for (std::size_t i = 0; i < r.size(); ++i) widths[i] = std::max(widths[i], length(r[i]));
  std::string text;
  for (const row& r : rows) {
    std::string line;
    for (std::size_t i = 0; i < r.size(); ++i) line += r[i] + std::string(widths[i] - length(r[i]) + 2, ' ');
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

row row_of(const tensor_file& file, const std::string& name, const tensor_entry& t) {
  const auto slash = file.is_checkpoint() ? name.rfind('/') : name.npos;
  const bool is_state = slash != name.npos;
  row r{is_state ? name.substr(0, slash) : name, is_state ? name.substr(slash + 1) : "", t.dtype,
        to_text(std::span(t.shape)), "", ""};
  if (const auto numbers = file.numbers(name)) {
    double largest = 0;
    for (const double x : *numbers) largest = larger(largest, x);
    double sum = 0;
    for (const double x : *numbers) sum += largest == 0 ? 0 : (x / largest) * (x / largest);  // in range, whatever x
    r[4] = of_four_digits(largest * std::sqrt(sum));
    r[5] = of_four_digits(largest);
  }
  return r;
}

/// In which type the optimizer computes, how many parameters are of another, and the seed of rounding by chance.
std::string numbers_of(const tensor_file& file) {
  const auto numbers = file.metadata("numbers");
  if (!numbers) return "";
  std::map<std::string, std::size_t> of_type;
  for (const auto& [key, value] : file.header().metadata)
    if (key.ends_with("/type")) ++of_type[value];
  std::string text = in_words("numbers  ", *numbers);
  for (const auto& [type, count] : of_type) text += in_words(", ", count, count == 1 ? " parameter in " : " parameters in ", type);
  if (const auto seed = file.metadata("seed")) text += in_words("\nseed     ", *seed);
  return text + "\n";
}

/// The arrays whose checksums differ.
std::string damaged(const tensor_file& file) {
  std::string names;
  const auto add = [&](std::string_view name) { names += in_words(names.empty() ? "" : ", ", "'", name, "'"); };
  const auto& metadata = file.header().metadata;
  if (file.metadata(std::string(detail::checksum_of_entries)) != detail::checksum(metadata)) add("__metadata__");
  for (const auto& [name, t] : file.header().tensors)
    if (file.metadata(in_words("checksum of ", name)) != detail::checksum(file.bytes(t))) add(name);
  return names;
}

}  // namespace

std::string shown(const tensor_file& file) {
  std::string text;
  if (file.is_checkpoint()) {
    const auto said = [&](const std::string& key) { return file.metadata(key).value_or("?"); };
    text += in_words("checkpoint of thalweg, version ", said("thalweg"), ", saved at ", said("mode"), "\n");
    text += in_words("chain    ", said("chain"), "\n");
    text += in_words("steps    ", said("step"), " of ", said("calls"), " calls\n");
    std::string options;
    for (const auto& [key, value] : file.header().metadata) {
      if (key.starts_with("options.")) options += in_words(options.empty() ? "" : ", ", key.substr(8), "=", value);
    }
    text += in_words("options  ", options, "\n");
    text += numbers_of(file);
    for (const auto& [key, value] : file.header().metadata)
      if (key.starts_with("route ")) text += in_words(key, "  ", value, "\n");
    if (said("thalweg") != "1") {
      const std::string wrong = damaged(file);
      text += in_words("checksums ", wrong.empty() ? "agree" : "differ, damaged: ", wrong, "\n");
    }
  } else {
    text += "safetensors file, no checkpoint of thalweg\n";
  }
  std::vector<row> rows{{"parameter", file.is_checkpoint() ? "state" : "", "type", "shape", "norm", "largest"}};
  for (const auto& [name, t] : file.header().tensors) rows.push_back(row_of(file, name, t));
  return text + "\n" + table(rows);
}

std::string differences(const tensor_file& a, const tensor_file& b) {
  constexpr std::size_t most = 10;
  std::string text;
  const auto add = [&](const auto&... parts) { text += in_words(parts..., "\n"); };
  const auto is_checksum = [](std::string_view key) { return key.find("checksum") != key.npos; };
  const auto compare = [&](const auto& here, const auto& there, const auto& both) {  // two maps, sorted
    for (const auto& [key, value] : here) {
      const auto other = there.find(key);
      if (other == there.end()) add("only in '", a.name(), "': ", key);
      else both(key, value, other->second);
    }
    for (const auto& [key, value] : there)
      if (!here.contains(key)) add("only in '", b.name(), "': ", key);
  };
  auto of_a = a.header().metadata, of_b = b.header().metadata;
  for (auto* const metadata : {&of_a, &of_b}) std::erase_if(*metadata, [&](const auto& e) { return is_checksum(e.first); });
  compare(of_a, of_b, [&](const std::string& key, const std::string& here, const std::string& there) {
    if (here != there) add(key, ": ", here, key == "chain" ? "\n    in the other: " : " / ", there);
  });

  struct difference {
    double relative, largest;
    std::string name;
  };
  std::vector<difference> found;
  compare(a.header().tensors, b.header().tensors, [&](const std::string& name, const auto& here, const auto& there) {
    const bool same_type = here.dtype == there.dtype, same_shape = here.shape == there.shape;
    if (!same_type || !same_shape)
      add(name, ": ", here.dtype, " ", std::span(here.shape), " / ", there.dtype, " ", std::span(there.shape));
    if (!same_shape || (same_type && a.bytes(here) == b.bytes(there))) return;
    const auto x = a.numbers(name), y = b.numbers(name);
    if (!x && same_type) add(name, ": other bytes of ", here.dtype);
    if (!x || !y || x == y) return;
    double of_all = 0, largest = 0;
    for (std::size_t i = 0; i < x->size(); ++i) {
      of_all = larger(larger(of_all, (*x)[i]), (*y)[i]);
      largest = larger(largest, (*x)[i] - (*y)[i]);
    }
    found.push_back({largest / of_all, largest, name});
  });
  std::ranges::stable_sort(found, [](const auto& one, const auto& other) {
    return std::isnan(one.relative) > std::isnan(other.relative) || one.relative > other.relative;
  });
  if (found.size() > most) add(found.size(), " arrays differ, the most:");
  std::vector<row> rows;
  for (const auto& d : found)
    if (rows.size() < most)
      rows.push_back({d.name, "differs by", of_four_digits(d.largest), "of the largest", of_four_digits(100 * d.relative) + " %", ""});
  return text + table(rows);
}

}  // namespace thalweg::tool
