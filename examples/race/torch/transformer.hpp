#pragma once
// A block of a transformer: attention and a perceptron, each behind a layer norm and beside a shortcut.

#include <cmath>

#include <torch/torch.h>

namespace race {

struct transformer_block : ::torch::nn::Module {
  std::int64_t heads;
  bool causal;  // a place sees itself and what is before it
  ::torch::nn::LayerNorm first{nullptr}, second{nullptr};
  ::torch::nn::Linear qkv{nullptr}, out{nullptr}, up{nullptr}, down{nullptr};

  transformer_block(std::int64_t channels, std::int64_t heads, bool causal) : heads(heads), causal(causal) {
    const auto linear = [&](const char* name, std::int64_t from, std::int64_t to) {
      return register_module(name, ::torch::nn::Linear(::torch::nn::LinearOptions(from, to).bias(false)));
    };
    const auto norm = [&](const char* name) {
      return register_module(name, ::torch::nn::LayerNorm(::torch::nn::LayerNormOptions({channels})));
    };
    first = norm("first");
    qkv = linear("qkv", channels, 3 * channels);  // three matrices, one over the other
    out = linear("out", channels, channels);
    second = norm("second");
    up = linear("up", channels, 4 * channels);
    down = linear("down", 4 * channels, channels);
  }

  ::torch::Tensor forward(const ::torch::Tensor& x) {
    const auto y = x + attention(first(x));
    return y + down(::torch::gelu(up(second(y))));
  }

private:
  ::torch::Tensor attention(const ::torch::Tensor& x) {
    const auto batch = x.size(0), places = x.size(1), channels = x.size(2);
    const auto parts = qkv(x).view({batch, places, 3, heads, channels / heads}).permute({2, 0, 3, 1, 4});
    auto scores = parts[0].matmul(parts[1].transpose(-2, -1)) / std::sqrt(static_cast<double>(channels / heads));
    if (causal) {
      const auto later = ::torch::ones({places, places}, ::torch::kBool).triu(1);
      scores = scores.masked_fill(later, -INFINITY);
    }
    return out(scores.softmax(-1).matmul(parts[2]).transpose(1, 2).reshape({batch, places, channels}));
  }
};

}  // namespace race
