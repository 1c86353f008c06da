// The valley's command line: the flags that it accepts, and the errors for others.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "../../examples/valley/flags.hpp"
#include "../message.hpp"

namespace {

const std::vector<std::string> known{"adamw", "muon", "sf_muon", "sf_adamw", "amuse"};

valley::request read(const std::vector<std::string>& given) {
  std::vector<const char*> argv{"valley"};
  for (const auto& word : given) argv.push_back(word.c_str());
  return *valley::parse(static_cast<int>(argv.size()), argv.data(), known);
}

std::string refusal(const std::vector<std::string>& given) {
  return test::message([&] { read(given); });
}

}  // namespace

TEST_CASE("the valley's usual request") {
  const auto usual = read({});
  CHECK(usual.task->name == "perceptron");
  CHECK(usual.optimizers == std::vector<std::string>{"amuse", "sf_muon", "muon", "sf_adamw"});
  CHECK(usual.riders == std::vector<std::string>{"gradient", "momentum", "adam", "orthogonalised"});
  CHECK(usual.followed == "amuse");
  CHECK(usual.plan.steps == 6000);
  CHECK(usual.plan.every == 600);
  CHECK(usual.plan.window == 50);
  CHECK(usual.plan.eigenvectors == 10);
  CHECK(!usual.draw_only);
}

TEST_CASE("chains of trainers and of riders are counted together") {
  const auto chains = read({"--optimizers", "muon; adam", "--riders", "lion; slow: adamw(beta1=0.5)", "--follow", "chain1"});
  CHECK(chains.optimizers == std::vector<std::string>{"muon", "chain1"});
  CHECK(chains.riders == std::vector<std::string>{"chain2", "slow"});
  CHECK(chains.followed == "chain1");
  REQUIRE(chains.chains.size() == 3);
  CHECK(chains.chains[1].text == "lion");
  CHECK(read({"--riders", "none"}).riders.empty());
  CHECK(read({"--optimizers", "amuse", "--riders", "lion", "--lr", "chain1=0.5"}).lr.at("chain1") == std::vector{0.5});
}

TEST_CASE("what the valley refuses") {
  CHECK(refusal({"--follow", "adamw"}) ==
        "[race] Expected --follow of amuse, sf_muon, muon, sf_adamw. Received 'adamw'.");
  CHECK(refusal({"--every", "2"}) == "[race] Expected --every from 3 to 6000. Received '2'.");
  CHECK(read({"--every", "6000"}).plan.every == 6000);
  CHECK(refusal({"--every", "30", "--window", "31"}) == "[race] Expected --window from 3 to 30. Received '31'.");
  CHECK(read({"--every", "30", "--window", "30"}).plan.window == 30);
  CHECK(refusal({"--eigenvectors", "0"}) == "[race] Expected --eigenvectors from 1 to 100. Received '0'.");
  CHECK(refusal({"--eigenvectors", "101"}) == "[race] Expected --eigenvectors from 1 to 100. Received '101'.");
  CHECK(refusal({"--riders", "adamm"}).starts_with("[parse] Expected a transform or recipe. Received 'adamm'"));
  CHECK(refusal({"--lr", "0.1,0.2"}).starts_with("[race] Expected --lr of one value"));
  CHECK(refusal({"--optimizers", "slow: adam", "--riders", "slow: lion"}) ==
        "[race] Expected --riders of different names. Received 'slow' twice.");
  CHECK(refusal({"--optimizers", "momentum: adam"}) ==
        "[race] Expected chains with new names. Received 'momentum', the name of a rider.");
  CHECK(refusal({"more"}) == "[race] Expected options only (see --help). Received 'more'.");
  CHECK(refusal({"--no-such"}) == "[race] Expected the options of --help. Received '--no-such'.");
}
