#include "settings.hpp"

#include <fstream>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "error.hpp"

namespace valley {
namespace {

using json = nlohmann::ordered_json;

json to_json(const settings& s) {
  json optimizers = json::object();
  for (const race::contender& who : s.optimizers)
    optimizers[who.key] = {{"name", who.name},
                           {"chain", who.chain},
                           {"lr", who.lr},
                           {"weight_decay", who.weight_decay},
                           {"warmup_steps", who.warmup_steps}};
  return {{"data", s.about.data},         {"model", s.about.model},
          {"batches", s.about.batches},   {"unit", s.about.unit},
          {"steps", s.plan.steps},        {"every", s.plan.every},
          {"window", s.plan.window},      {"eigenvectors", s.plan.eigenvectors},
          {"followed", s.followed},       {"optimizers", optimizers}};
}

settings settings_of(const json& j) {
  settings s;
  s.about = {.data = j.at("data"), .model = j.at("model"), .batches = j.at("batches"), .split = "", .unit = j.at("unit")};
  s.plan.steps = j.at("steps");
  s.plan.every = j.at("every");
  s.plan.window = j.at("window");
  s.plan.eigenvectors = j.at("eigenvectors");
  s.followed = j.at("followed");
  for (const auto& [key, who] : j.at("optimizers").items())
    s.optimizers.push_back({.key = key,
                            .name = who.at("name"),
                            .chain = who.at("chain"),
                            .lr = who.at("lr"),
                            .weight_decay = who.at("weight_decay"),
                            .warmup_steps = who.at("warmup_steps")});
  return s;
}

json read_json(const std::filesystem::path& path) try {
  std::ifstream file(path);
  return json::parse(file);
} catch (const json::exception& failure) {
  throw error(fmt::format("settings in {}", path.string()), failure.what());
}

void check_same(const std::filesystem::path& path, const std::string& what, const json& kept, const json& now) {
  if (kept == now) return;
  throw error(fmt::format("--output of a new folder, or the settings of {}: {} {}", path.string(), what, kept.dump()),
              now.dump());
}

}  // namespace

settings read_settings(const std::filesystem::path& folder) try {
  const auto path = folder / "settings.json";
  if (!std::filesystem::exists(path)) throw error(fmt::format("a file {}", path.string()), "none");
  return settings_of(read_json(path));
} catch (const json::exception& failure) {
  throw error(fmt::format("all settings in {}", folder.string()), failure.what());
}

settings keep_settings(const std::filesystem::path& folder, const settings& now) {
  const auto path = folder / "settings.json";
  json all = to_json(now);
  if (std::filesystem::exists(path)) {
    json kept = read_json(path);
    for (const auto& [key, value] : all.items())
      if (key != "optimizers") check_same(path, key, kept[key], value);
    for (const auto& [key, value] : all["optimizers"].items()) {
      if (kept["optimizers"].contains(key)) check_same(path, key, kept["optimizers"][key], value);
      else kept["optimizers"][key] = value;
    }
    all = std::move(kept);
  }
  std::error_code ignored;  // the file tells
  std::filesystem::create_directories(folder, ignored);
  std::ofstream file(path);
  file << all.dump(2) << '\n' << std::flush;
  if (!file) throw error("--output of a folder that can be written", fmt::format("'{}'", folder.string()));
  return settings_of(all);
}

}  // namespace valley
