// replay FILE...: replays reference cases and prints one line each.
#include <cstdio>
#include <fstream>

#include "replay.hpp"

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
    const auto e = replayer->second(c, h);
    h.expect_none_left();
    const auto limit = replay::allowed(c);
    const bool ok = std::max(e.fused64, e.unfused64) <= limit.for_double &&
                    std::max(e.fused32, e.unfused32) <= limit.for_float;
    std::printf("%-34s float64 %.1e unfused %.1e (<= %.0e)   float32 %.1e unfused %.1e (<= %.0e)   %s\n", name.c_str(),
                e.fused64, e.unfused64, limit.for_double, e.fused32, e.unfused32, limit.for_float,
                ok ? "ok" : "FAILED");
    return ok;
  } catch (const std::exception& e) {
    std::printf("%-34s %s   FAILED\n", name.c_str(), e.what());
    return false;
  }
}

}  // namespace

int main(int count, char** files) {
  if (count < 2) {
    std::puts("replay FILE...: replays reference cases; exits with 1 if one fails or its optimizer is unknown");
    return 2;
  }
  bool ok = true;
  for (int i = 1; i < count; ++i) ok &= replayed(files[i]);
  return ok ? 0 : 1;
}
