// What trainers of language models do, on a model that guesses the next letter of a text.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string_view>
#include <vector>

#include <thalweg/thalweg.hpp>
using namespace thalweg;

namespace {

constexpr std::size_t tokens = 27, channels = 16;
constexpr std::string_view text =
    "the thalweg is the line that joins the lowest points of a valley and the water of a river follows that line ";

std::size_t token_at(std::size_t i) {
  const char c = text[i % text.size()];
  return c == ' ' ? 26 : static_cast<std::size_t>(c - 'a');
}

/// a = tanh(W·(wte[this] + ½·wte[last]) + b), and the logits of the next letter are wte·(gain∘a): the head is tied.
struct network {
  std::vector<float> wte = std::vector<float>(tokens * channels), mix = std::vector<float>(channels * channels),
                     gain = std::vector<float>(channels, 1), bias = std::vector<float>(channels);

  network() {
    unsigned noise = 1;
    const auto draw = [&] { return static_cast<float>((noise = noise * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1; };
    for (float& x : wte) x = 0.5f * draw();
    for (float& x : mix) x = 0.4f * draw();
  }
};

/// The loss at a letter. A share of its derivatives by wte, mix, gain and bias is added to `g`, if there is one.
float loss_at(const network& n, std::size_t i, std::vector<std::vector<float>>* g, float share) {
  const std::size_t last = token_at(i), now = token_at(i + 1), next = token_at(i + 2);
  std::array<float, channels> in{}, a{}, at_a{};
  std::array<float, tokens> p{};
  for (std::size_t c = 0; c < channels; ++c) in[c] = n.wte[now * channels + c] + 0.5f * n.wte[last * channels + c];
  for (std::size_t r = 0; r < channels; ++r) {
    float sum = n.bias[r];
    for (std::size_t c = 0; c < channels; ++c) sum += n.mix[r * channels + c] * in[c];
    a[r] = std::tanh(sum);
  }
  float total = 0;
  for (std::size_t t = 0; t < tokens; ++t) {
    float logit = 0;
    for (std::size_t c = 0; c < channels; ++c) logit += n.wte[t * channels + c] * n.gain[c] * a[c];
    total += p[t] = std::exp(logit);
  }
  const float loss = std::log(total / p[next]);
  if (!g) return loss;
  auto &wte = (*g)[0], &mix = (*g)[1], &gain = (*g)[2], &bias = (*g)[3];
  for (std::size_t t = 0; t < tokens; ++t) {
    const float at_logit = share * (p[t] / total - (t == next ? 1.f : 0.f));
    for (std::size_t c = 0; c < channels; ++c) {
      wte[t * channels + c] += at_logit * n.gain[c] * a[c];
      gain[c] += at_logit * n.wte[t * channels + c] * a[c];
      at_a[c] += at_logit * n.wte[t * channels + c] * n.gain[c];
    }
  }
  for (std::size_t r = 0; r < channels; ++r) {
    const float at_sum = at_a[r] * (1 - a[r] * a[r]);
    bias[r] += at_sum;
    for (std::size_t c = 0; c < channels; ++c) {
      mix[r * channels + c] += at_sum * in[c];
      wte[now * channels + c] += at_sum * n.mix[r * channels + c];
      wte[last * channels + c] += 0.5f * at_sum * n.mix[r * channels + c];
    }
  }
  return loss;
}

constexpr std::size_t batch_size = 16;

float backward(const network& n, long step, std::vector<std::vector<float>>& gradients) {
  gradients.assign(4, {});
  gradients[0].assign(n.wte.size(), 0), gradients[1].assign(n.mix.size(), 0);
  gradients[2].assign(n.gain.size(), 0), gradients[3].assign(n.bias.size(), 0);
  float loss = 0;
  for (std::size_t b = 0; b < batch_size; ++b)
    loss += loss_at(n, static_cast<std::size_t>(step) * 31 + b * 7, &gradients, 1.f / batch_size) / batch_size;
  return loss;
}

float validate(const network& n) {
  float loss = 0;
  for (std::size_t i = 0; i < text.size(); ++i) loss += loss_at(n, i, nullptr, 0) / static_cast<float>(text.size());
  return loss;
}

}  // namespace

int main() {
  network net;
  std::vector<std::vector<float>> gradients;
  float validated = 0;
  // snippet: language_model
  std::vector parameters{as_parameter("wte", net.wte, {tokens, channels}, role::embedding),  // the head is tied to it
                         as_parameter("mix", net.mix, {channels, channels}, role::hidden),
                         as_parameter("gain", net.gain), as_parameter("bias", net.bias)};
  for (auto& p : parameters)
    if (p.shape.size() < 2) p.weight_decay_factor = 0;  // biases, and the gains of norms

  auto opt = optimizer("clip_by_global_norm(max_norm=1)"
                       " | join(for_steps(50, warmup(steps=50)), cosine(steps=550, final=0.1))"
                       " | muon(auxiliary_lr=0.5)",
                       parameters, {.lr = 0.02, .weight_decay = 0.1});
  std::puts(opt.describe().c_str());
  for (long step = 1; step <= 600; ++step) {
    const float loss = backward(net, step, gradients);
    const auto report = opt.step(gradients);
    if (step % 100 == 0) {
      const auto at_x = opt.evaluation_point();  // the average, if the chain keeps one
      validated = validate(net);
      std::printf("step %3ld  loss %.4f  validation %.4f  lr %.2e  gradient norm %.3f\n", step, loss, validated,
                  report.lr, *report.gradient_norm);
    }
  }
  // end
  return validated < 1 ? 0 : 1;
}
