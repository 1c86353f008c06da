#include "flags.hpp"

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "error.hpp"
#include "text.hpp"

namespace race {
namespace {

template <class T>
T number(std::string_view flag, std::string_view text, T low, T high) {
  T value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || !(value >= low && value <= high))
    throw error(fmt::format("{} from {} to {}", flag, low, high), fmt::format("'{}'", text));
  return value;
}

std::vector<std::string> split(std::string_view text, char separator = ',') {
  std::vector<std::string> parts(1);
  for (const char c : text) c == separator ? parts.emplace_back() : parts.back() += c;
  return parts;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// "adamw,muon", or with chains "amuse; sign_momentum(beta=0.9) | adamw": these have commas of their own.
void enter(request& r, const std::string& text, std::span<const std::string> known) {
  const bool chains = text.find_first_of(";|(") != text.npos;
  for (const std::string& part : split(text, chains ? ';' : ',')) {
    std::string who = trimmed(part);
    if (who.empty())
      throw error(fmt::format("--optimizers of {}, or chains between ';'", joined(known, ", ")), fmt::format("'{}'", text));
    if (std::ranges::find(known, who) == known.end()) {
      const std::string key = fmt::format("chain{}", r.chains.size() + 1);
      r.chains.push_back({key, std::exchange(who, key)});
    }
    r.optimizers.push_back(who);
  }
}

void check_known(std::string_view flag, const std::string& key, std::span<const std::string> known) {
  if (std::ranges::find(known, key) == known.end())
    throw error(fmt::format("{} of {}", flag, joined(known, ", ")), fmt::format("'{}'", key));
}

// "0.01" for everybody, or "adamw=0.002,amuse=0.01".
std::map<std::string, double> learning_rates(std::string_view text, std::span<const std::string> known) {
  std::map<std::string, double> lr;
  const auto rate = [](std::string_view part) { return number("--lr", part, 0.0, 1000.0); };
  if (text.find('=') == text.npos) {
    for (const std::string& key : known) lr[key] = rate(text);
    return lr;
  }
  for (const std::string& part : split(text)) {
    const auto equals = part.find('=');
    if (equals == part.npos)
      throw error("--lr as name=value,name=value or one value", fmt::format("'{}'", text));
    check_known("--lr", part.substr(0, equals), known);
    lr[part.substr(0, equals)] = rate(std::string_view(part).substr(equals + 1));
  }
  return lr;
}

struct flag {
  const char* name;
  const char* argument;  // null: none
  std::string standard;
  const char* explanation;
};

std::vector<flag> flags(std::span<const std::string> known) {
  return {
      {"data", "NAME", "fashion-mnist", "fashion-mnist or digits"},
      {"data-folder", "FOLDER", "", "where its files lie"},
      {"optimizers", "A,B,C", joined(known, ","),
       "who races; or any chains: \"amuse; sign_momentum(beta=0.9) | cautious; adan\""},
      {"hidden", "N,N", "64,64", "widths of the hidden layers"},
      {"steps", "N", "", "the budget (6000; digits 1000)"},
      {"batch", "N", "", "images a step (128; digits 64)"},
      {"seed", "N", "1", "of the first weights and of the batches"},
      {"seeds", "N", "1", "race so often, with successive seeds: mean ± standard deviation"},
      {"lr", "RATE", "", "other than the tuned ones: 0.01, or adamw=0.002,chain1=0.01"},
      {"tune", nullptr, "", "try seven learning rates for each, judged on images that the race never sees"},
      {"csv", "FILE", "", "every number, in long format (race.csv; when tuning tune.csv)"},
      {"plot", "FILE", "race.png", "the picture, drawn by gnuplot"},
      {"help", nullptr, "", "this text"},
  };
}

std::string help(std::span<const flag> all) {
  std::string text = "One network, the same batches, five optimizers: who leads, wherever you stop?\n\n";
  for (const auto& [name, argument, standard, explanation] : all)
    text += fmt::format("  {:<22} {}{}\n", fmt::format("--{} {}", name, argument ? argument : ""), explanation,
                        standard.empty() ? "" : " (" + standard + ")");
  return text;
}

// What is given, and the standards of what is not.
std::map<std::string, std::string> values(int argc, char* const* argv, std::span<const flag> all) {
  std::map<std::string, std::string> values;
  std::vector<option> known;
  for (const auto& [name, argument, standard, explanation] : all) {
    if (!standard.empty()) values[name] = standard;
    known.push_back({name, argument ? required_argument : no_argument, nullptr, 0});
  }
  known.push_back({});
  opterr = 0;
  for (int which = 0, found; (found = getopt_long(argc, argv, "", known.data(), &which)) != -1;) {
    if (found != 0) throw error("the options of --help, each with its value", fmt::format("'{}'", argv[optind - 1]));
    values[all[static_cast<std::size_t>(which)].name] = optarg ? optarg : "";
  }
  if (optind < argc) throw error("options only (see --help)", fmt::format("'{}'", argv[optind]));
  return values;
}

}  // namespace

std::optional<request> parse(int argc, char* const* argv, std::span<const std::string> known) {
  const auto all = flags(known);
  const auto given = values(argc, argv, all);
  if (given.count("help")) {
    fmt::print("{}", help(all));
    return std::nullopt;
  }

  const auto text = [&](const char* flag) { return given.at(flag); };
  const auto text_or = [&](const char* flag, const char* standard) {
    return given.count(flag) ? text(flag) : std::string(standard);
  };
  request r;
  r.digits = text("data") == "digits";
  if (!r.digits && text("data") != "fashion-mnist")
    throw error("--data fashion-mnist or digits", fmt::format("'{}'", text("data")));
  r.folder = text_or("data-folder", r.digits ? "/usr/lib/python3/dist-packages/sklearn/datasets/data"
                                             : "/usr/share/datasets/fashion-mnist");
  enter(r, text("optimizers"), known);
  for (const std::string& width : split(text("hidden")))
    r.hidden.push_back(number<std::ptrdiff_t>("--hidden", width, 1, 4096));
  r.steps = number("--steps", text_or("steps", r.digits ? "1000" : "6000"), 100l, 10'000'000l);
  r.batch = number<std::size_t>("--batch", text_or("batch", r.digits ? "64" : "128"), 1, 1'000'000);
  r.seed = number("--seed", text("seed"), 0u, 1'000'000'000u);
  r.seeds = number("--seeds", text("seeds"), 1u, 1000u);
  std::vector<std::string> keys(known.begin(), known.end());
  for (const auto& chain : r.chains) keys.push_back(chain.key);
  if (given.count("lr")) r.lr = learning_rates(text("lr"), keys);
  r.tune = given.count("tune") > 0;
  r.csv = text_or("csv", r.tune ? "tune.csv" : "race.csv");
  r.plot = text("plot");
  return r;
}

}  // namespace race
