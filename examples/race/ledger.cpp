#include "ledger.hpp"

#include <fstream>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "error.hpp"

namespace race {
namespace {

using nlohmann::json;

json to_json(const run_key& key) {
  json all = {{"data", key.about.data},       {"model", key.about.model},
          {"batches", key.about.batches}, {"split", key.about.split},
          {"chain", key.chain},           {"lr", key.options.lr},
          {"weight_decay", key.options.weight_decay}, {"warmup_steps", key.options.warmup_steps},
          {"steps", key.steps},           {"seed", key.seed}};
  if (key.options.state != thalweg::state_in::same) all["state"] = std::string(thalweg::to_text(key.options.state));
  return all;
}

json to_json(const score& s) { return {s.loss, s.accuracy}; }  // null where a loss is not finite
score score_of(const json& j) {
  const auto number = [](const json& value) { return value.is_null() ? std::nan("") : value.get<double>(); };
  return {number(j.at(0)), number(j.at(1))};
}

json to_json(const run& r) {
  json curve = json::array();
  for (const point& p : r.curve) curve.push_back({p.step, to_json(p.training), to_json(p.validation)});
  return {{"curve", curve}, {"seconds_a_step", r.seconds_a_step}, {"optimizer_share", r.optimizer_share}};
}
run run_of(const json& j) {
  run r{{}, j.at("seconds_a_step").get<double>(), j.at("optimizer_share").get<double>()};
  for (const json& p : j.at("curve")) r.curve.push_back({p.at(0).get<long>(), score_of(p.at(1)), score_of(p.at(2))});
  if (r.curve.size() != stops.size())
    throw error(fmt::format("a curve of {} points", stops.size()), fmt::format("{}", r.curve.size()));
  return r;
}

}  // namespace

ledger::ledger(std::filesystem::path path, bool resume) : path_(std::move(path)) {
  std::ifstream file(path_);
  std::string text(std::istreambuf_iterator<char>(file), {});
  const auto whole = text.rfind('\n') + 1;  // 0 where there is none
  if (whole != text.size()) std::filesystem::resize_file(path_, whole);  // removes a line that was cut off
  if (!resume) return;
  text.resize(whole);
  std::size_t number = 0, begin = 0;
  for (auto end = text.find('\n'); end != text.npos; begin = end + 1, end = text.find('\n', begin)) {
    ++number;
    try {
      const json line = json::parse(text.substr(begin, end - begin));
      kept_[line.at("run").dump()] = run_of(line.at("result"));
    } catch (const std::exception& failure) {
      throw error(fmt::format("a run in line {} of {}", number, path_.string()), failure.what());
    }
  }
}

std::optional<run> ledger::find(const run_key& key) const {
  const auto found = kept_.find(to_json(key).dump());
  return found == kept_.end() ? std::nullopt : std::optional(found->second);
}

void ledger::add(const run_key& key, const run& run) {
  std::ofstream file(path_, std::ios::app);
  file << json{{"run", to_json(key)}, {"result", to_json(run)}}.dump() + '\n' << std::flush;
  if (!file) throw error(fmt::format("a file that can be written at {}", path_.string()), "a failure to write it");
}

}  // namespace race
