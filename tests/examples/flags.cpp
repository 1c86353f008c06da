// The race's command line: the flags that it accepts, and the errors for others.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "../../examples/race/flags.hpp"
#include "../message.hpp"

namespace {

const std::vector<std::string> known{"adamw", "muon", "amuse"};

struct files {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("thalweg-flags-" + std::to_string(getpid()));
  files() { std::filesystem::create_directories(folder); }
  ~files() { std::filesystem::remove_all(folder); }
};

race::request read(const std::vector<std::string>& given) {
  const files in;
  std::vector<std::string> all{"race", "--csv", in.folder / "race.csv", "--ledger", in.folder / "race.jsonl"};
  all.insert(all.end(), given.begin(), given.end());
  std::vector<const char*> argv;
  for (const auto& word : all) argv.push_back(word.c_str());
  return *race::parse(static_cast<int>(argv.size()), argv.data(), known);
}

std::string refusal(const std::vector<std::string>& given) {
  return test::message([&] { read(given); });
}

}  // namespace

TEST_CASE("what is not said is the task's own") {
  const auto usual = read({});
  CHECK(usual.task->name == "perceptron");
  CHECK(usual.steps == 6000);
  CHECK(usual.settings.batch == 128);
  CHECK(usual.settings.folder == "/usr/share/datasets/fashion-mnist");
  CHECK(!usual.settings.tuning);
  CHECK(!usual.resume);
  const auto digits = read({"--task", "digits", "--tune", "--resume", "--hidden", "8,4"});
  CHECK(digits.steps == 1000);
  CHECK(digits.settings.batch == 64);
  CHECK(digits.settings.tuning);
  CHECK(digits.settings.hidden == std::vector<std::size_t>{8, 4});
  CHECK(digits.resume);
  CHECK(refusal({"--task", "gpt"}) ==
        "[race] Expected --task of perceptron, digits (./dev race adds those of libtorch: gpt, gpt_1m, convnet, convnet_batch_norm, vit). "
        "Received 'gpt'.");
}

TEST_CASE("who races: names, all, or chains") {
  CHECK(read({"--optimizers", "muon,amuse"}).optimizers == std::vector<std::string>{"muon", "amuse"});
  CHECK(read({"--optimizers", "all"}).optimizers == known);
  const auto chains = read({"--optimizers", "\n  muon;\n  adam(beta1=0.5)\n"});
  CHECK(chains.optimizers == std::vector<std::string>{"muon", "chain1"});
  CHECK(chains.chains.front().text == "adam(beta1=0.5)");
  const auto named = read({"--optimizers", "slow: adam(beta1=0.5); muon; lion"});
  CHECK(named.optimizers == std::vector<std::string>{"slow", "muon", "chain2"});
  CHECK(named.chains.front().text == "adam(beta1=0.5)");
  CHECK(refusal({"--optimizers", "muon: adam"}) == "[race] Expected --optimizers of different names. Received 'muon' twice.");
  CHECK(refusal({"--optimizers", "a: adam; a: lion"}) == "[race] Expected --optimizers of different names. Received 'a' twice.");
  CHECK(refusal({"--optimizers", "muon,"}).starts_with("[race] Expected --optimizers of adamw, muon, amuse, or chains"));
  CHECK(refusal({"--optimizers", "adamm"}).starts_with("[parse] Expected a transform or recipe. Received 'adamm'"));
}

TEST_CASE("learning rates and weight decays: for everybody, by name, or several to be tried") {
  const auto one = read({"--lr", "0.5", "--weight-decay", "amuse=0,muon=0.25"});
  for (const auto& key : known) CHECK(one.lr.at(key) == std::vector{0.5});
  CHECK(one.weight_decay.size() == 2);
  CHECK(one.weight_decay.at("muon") == std::vector{0.25});
  CHECK(read({"--tune", "--lr", "0.5,1"}).lr.at("adamw") == std::vector{0.5, 1.0});
  CHECK(read({"--optimizers", "adam;lion", "--lr", "chain2=0.5"}).lr.at("chain2") == std::vector{0.5});

  CHECK(refusal({"--lr", "0.5,1"}) ==
        "[race] Expected --lr of one value, or name=value,name=value, without --tune. Received '0.5,1'.");
  CHECK(refusal({"--weight-decay", "amuse=0,1"}) ==
        "[race] Expected --weight-decay as name=value,name=value or one value. Received 'amuse=0,1'.");
  CHECK(refusal({"--optimizers", "muon", "--lr", "lion=1"}) == "[race] Expected --lr of adamw, muon, amuse. Received 'lion'.");
  CHECK(refusal({"--lr", "-1"}) == "[race] Expected --lr from 0 to 1000. Received '-1'.");
  CHECK(refusal({"--lr", "1001"}) == "[race] Expected --lr from 0 to 1000. Received '1001'.");
}

TEST_CASE("numbers have ranges, both ends of which belong to them") {
  CHECK(read({"--steps", "100", "--warmup", "0"}).warmup == 0.0);
  CHECK(read({"--warmup", "1"}).warmup == 1.0);
  CHECK(!read({}).warmup);
  CHECK(refusal({"--steps", "99"}) == "[race] Expected --steps from 100 to 10000000. Received '99'.");
  CHECK(refusal({"--warmup", "1.5"}) == "[race] Expected --warmup from 0 to 1. Received '1.5'.");
  CHECK(refusal({"--batch", "0"}) == "[race] Expected --batch from 1 to 1000000. Received '0'.");
  CHECK(refusal({"--ledger", "/nowhere/race.jsonl"}) ==
        "[race] Expected --ledger of a file that can be written. Received '/nowhere/race.jsonl'.");
}

TEST_CASE("flags are written whole, with a value where they want one") {
  CHECK(read({"--steps=100"}).steps == 100);
  CHECK(read({"--steps", "200", "--steps", "100"}).steps == 100);
  CHECK(read({"--tune"}).tune);
  const auto not_known = [](const std::string& what) {
    return "[race] Expected the options of --help. Received '" + what + "'.";
  };
  CHECK(refusal({"--no-such"}) == not_known("--no-such"));
  CHECK(refusal({"--step", "100"}) == not_known("--step"));
  CHECK(refusal({"--see", "1"}) == not_known("--see"));
  CHECK(refusal({"-s"}) == not_known("-s"));
  CHECK(refusal({"--tune=1"}) == not_known("--tune=1"));
  CHECK(refusal({"--steps"}) == "[race] Expected a value after --steps. Received nothing.");
  CHECK(refusal({"more", "--tune"}) == "[race] Expected options only (see --help). Received 'more'.");
}

TEST_CASE("help is printed, and nothing else happens") {
  const std::vector<const char*> argv{"race", "--help"};
  CHECK(!race::parse(2, argv.data(), known));
}
