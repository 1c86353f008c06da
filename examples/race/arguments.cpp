#include "arguments.hpp"

#include <algorithm>
#include <utility>

#include <thalweg/text.hpp>

#include "text.hpp"

namespace race {
namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \n");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \n") - first + 1);
}

// "slow" of "slow: adamw(beta1=0.95)". Nothing where a chain has no name.
std::string name_of(const std::string& text) {
  const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789");
  return end != text.npos && text[end] == ':' ? text.substr(0, end) : "";
}

void check_known(std::string_view flag, const std::string& key, std::span<const std::string> known) {
  if (std::ranges::find(known, key) == known.end())
    throw error(fmt::format("{} of {}", flag, joined(known, ", ")), fmt::format("'{}'", key));
}

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) c == separator ? parts.emplace_back() : parts.back() += c;
  return parts;
}

choice chosen(std::string_view flag, const std::string& text, std::span<const std::string> known, std::size_t chains_before) {
  if (text == "all") return {{known.begin(), known.end()}, {}};
  choice r;
  const bool chains = text.find_first_of(";|(:") != text.npos;
  for (const std::string& part : split(text, chains ? ';' : ',')) {
    std::string who = trimmed(part);
    if (who.empty())
      throw error(fmt::format("{} of {}, or chains between ';'", flag, joined(known, ", ")), fmt::format("'{}'", text));
    if (std::ranges::find(known, who) == known.end()) {
      std::string key = name_of(who);
      if (key.empty()) key = fmt::format("chain{}", chains_before + r.chains.size() + 1);
      else who = trimmed(who.substr(key.size() + 1));
      const auto same = [&](const named_chain& other) { return other.key == key; };
      if (std::ranges::find(known, key) != known.end() || std::ranges::any_of(r.chains, same))
        throw error(fmt::format("{} of different names", flag), fmt::format("'{}' twice", key));
      static_cast<void>(thalweg::parse(who));
      r.chains.push_back({key, std::exchange(who, key)});
    }
    r.optimizers.push_back(who);
  }
  return r;
}

numbers_by_key numbers(std::string_view flag, std::string_view text, std::span<const std::string> known, bool several) {
  numbers_by_key all;
  const auto value = [&](std::string_view part) { return number(flag, part, 0.0, 1000.0); };
  const auto parts = split(text);
  if (text.find('=') == text.npos) {
    if (parts.size() > 1 && !several)
      throw error(fmt::format("{} of one value, or name=value,name=value, without --tune", flag), fmt::format("'{}'", text));
    for (const std::string& key : known)
      for (const std::string& part : parts) all[key].push_back(value(part));
    return all;
  }
  for (const std::string& part : parts) {
    const auto equals = part.find('=');
    if (equals == part.npos)
      throw error(fmt::format("{} as name=value,name=value or one value", flag), fmt::format("'{}'", text));
    check_known(flag, part.substr(0, equals), known);
    all[part.substr(0, equals)] = {value(std::string_view(part).substr(equals + 1))};
  }
  return all;
}

const named_task& task_of(const std::string& name) {
  std::vector<std::string_view> names;
  for (const named_task& t : all_tasks()) {
    if (t.name == name) return t;
    names.push_back(t.name);
  }
  throw error(fmt::format("--task of {} (./dev race adds those of libtorch: gpt, gpt_1m, convnet, convnet_batch_norm, vit)",
                          joined(names, ", ")),
              fmt::format("'{}'", name));
}

}  // namespace race
