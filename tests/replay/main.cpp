// replay FILE...: replays reference cases and prints one line each; exits with 77 where what it runs on is missing.
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>

#include <is_missing.hpp>

#include "case.hpp"

namespace {

bool replayed(const char* file) {
  const std::string path = file, name = path.substr(path.find_last_of('/') + 1);
  try {
    std::ifstream stream(path);
    if (!stream) throw std::runtime_error("cannot be read");
    const auto c = replay::json::parse(stream);
    auto known = replay::plain();
    known.merge(replay::schedule_free());
    known.merge(replay::muon());
    known.merge(replay::heavyball_chains());
    const auto replayer = known.find(c.at("optimizer"));
    if (replayer == known.end()) throw std::runtime_error("unknown optimizer " + c.at("optimizer").dump());

    replay::hyperparameters h(c.at("hyperparameters"));
    const auto runs = replayer->second(c, h);
    h.expect_none_left();
    std::printf("%-31s", name.c_str());
    bool ok = !runs.empty();
    for (const auto& r : runs) {
      std::printf(" %s %.1e (<= %.0e)  ", r.how.c_str(), r.error, r.allowed);
      ok &= r.error <= r.allowed;
    }
    std::puts(ok ? " ok" : " FAILED");
    return ok;
  } catch (const std::exception& e) {
    std::printf("%-34s %s   FAILED\n", name.c_str(), e.what());
    return false;
  }
}

}  // namespace

int main(int count, char** files) {
  if (count < 2) {
    std::puts("replay FILE...: replays reference cases; exits with 1 if one fails or its optimizer is unknown, with 77 if "
              "there is no GPU and one is meant");
    return 2;
  }
  if (test::is_missing()) return 77;
  bool ok = true;
  for (int i = 1; i < count; ++i) ok &= replayed(files[i]);
  return ok ? 0 : 1;
}
