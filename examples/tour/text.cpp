// Chains from the command line: ./text "nesterov_ema(beta=0.95) | update_by_schedule_free"
#include <cstdio>
#include <string>
#include <vector>

// snippet: text
#include <thalweg/text.hpp>
using namespace thalweg;

optimizer<float> from_text(const std::string& text, const std::vector<parameter<float>>& parameters) {
  const auto chain = parse(text);  // "cosine(steps=6000) | adamw(beta2=0.95)"
  std::puts(to_text(chain).c_str());  // the same, with every field
  return optimizer(chain, parameters, {.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 100});
}
// end

int main(int count, char** arguments) try {
  std::vector<std::string> texts(arguments + 1, arguments + count);
  if (texts.empty())
    texts = {"cosine(steps=3000) | adamw(beta2=0.95)", "nesterov_ema(beta=0.95) | update_by_schedule_free(beta=0.9)"};
  bool learned = true;
  for (const std::string& text : texts) {
    std::vector<float> w{1, -2, 3}, gradient(3);
    auto opt = from_text(text, {as_parameter("w", w)});
    for (int step = 0; step < 1500; ++step) {
      for (std::size_t i = 0; i < w.size(); ++i) gradient[i] = w[i] - 0.5f;
      opt.step({gradient});
    }
    const auto at_x = opt.evaluation_point();
    std::printf("%s\n%.2f %.2f %.2f\n\n", opt.describe().c_str(), w[0], w[1], w[2]);
    for (const float value : w) learned &= value > 0.4f && value < 0.6f;
  }
  return learned ? 0 : 1;
} catch (const error& refused) {
  std::fprintf(stderr, "%s\n", refused.what());
  return 2;
}
