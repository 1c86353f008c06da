// An optimizer that is a member, of one type for every chain.
#include <cstdio>
#include <string>
#include <vector>

// snippet: chosen
#include <thalweg/thalweg.hpp>
using namespace thalweg;

struct trainer {
  std::vector<float> w{1, -2, 3}, gradient = w;
  optimizer<float> opt;  // empty until a chain is bound

  void use(const std::string& name) {
    const std::vector parameters{as_parameter("w", w)};
    if (name == "amuse") opt = optimizer(recipes::amuse(), parameters, {.lr = 0.02, .warmup_steps = 100});
    else opt = optimizer(name, parameters, {.lr = 0.02});  // a chain from text
  }
};
// end

int main() {
  bool learned = true;
  for (const char* name : {"adamw(beta2=0.95)", "amuse"}) {
    trainer t;
    t.use(name);
    for (int step = 0; step < 1500; ++step) {
      for (std::size_t i = 0; i < t.w.size(); ++i) t.gradient[i] = t.w[i] - 0.5f;
      t.opt.step({t.gradient});
    }
    const auto at_x = t.opt.evaluation_point();
    std::printf("%s\n%s: %.2f %.2f %.2f\n\n", t.opt.describe().c_str(), name, t.w[0], t.w[1], t.w[2]);
    for (const float value : t.w) learned &= value > 0.4f && value < 0.6f;
  }
  return learned ? 0 : 1;
}
