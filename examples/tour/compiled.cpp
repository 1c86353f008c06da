// A recipe chosen by its name, from those that the library holds compiled.
#include <cstdio>
#include <string>
#include <vector>

// snippet: compiled
#include <thalweg/compiled.hpp>
using namespace thalweg;

compiled::optimizer<float> by_name(const std::string& name, std::vector<parameter<float>> parameters) {
  compiled::recipe chosen = recipes::amuse();
  if (name == "adamw") chosen = recipes::adamw({.beta2 = 0.95});
  return compiled::optimizer(chosen, parameters, {.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 100});
}
// end

int main() {
  bool learned = true;
  for (const char* name : {"adamw", "amuse"}) {
    std::vector<float> w{1, -2, 3}, gradient(3);
    auto opt = by_name(name, {as_parameter("w", w)});
    for (int step = 0; step < 1500; ++step) {
      for (std::size_t i = 0; i < w.size(); ++i) gradient[i] = w[i] - 0.5f;
      opt.step({gradient});
    }
    const auto at_x = opt.evaluation_point();
    std::printf("%s\n%s: %.2f %.2f %.2f\n\n", opt.describe().c_str(), name, w[0], w[1], w[2]);
    for (const float value : w) learned &= value > 0.4f && value < 0.6f;
  }
  return learned ? 0 : 1;
}
