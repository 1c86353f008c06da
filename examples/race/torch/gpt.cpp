// A decoder of bytes with learned positions, small or large.
#include <fmt/core.h>

#include "bytes.hpp"
#include "networks.hpp"
#include "transformer.hpp"

namespace race {
namespace {

namespace nn = ::torch::nn;

constexpr std::int64_t window = 64, heads = 4, vocabulary = 256;

struct size {
  std::int64_t channels, depth;
};

struct decoder final : network_of_tensors {
  nn::Embedding bytes{nullptr}, places{nullptr};
  std::vector<std::shared_ptr<transformer_block>> blocks;
  nn::LayerNorm norm{nullptr};
  nn::Linear head{nullptr};

  explicit decoder(size of) {
    const auto [channels, depth] = of;
    bytes = register_module("byte_embedding", nn::Embedding(vocabulary, channels));
    places = register_module("place_embedding", nn::Embedding(window, channels));
    for (std::int64_t i = 0; i < depth; ++i)
      blocks.push_back(register_module(fmt::format("block{}", i), std::make_shared<transformer_block>(channels, heads, true)));
    norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({channels})));
    head = register_module("head", nn::Linear(nn::LinearOptions(channels, vocabulary).bias(false)));

    const ::torch::NoGradGuard no_gradients;  // as GPT-2: 0.02, and less for what is added to the shortcut
    const double added = 0.02 / std::sqrt(2.0 * static_cast<double>(depth));
    for (auto& p : named_parameters())
      if (p.value().dim() > 1)
        p.value().normal_(0, p.key().find(".out.") != p.key().npos || p.key().find(".down.") != p.key().npos ? added : 0.02);
  }

  ::torch::Tensor forward(const ::torch::Tensor& inputs) override {
    auto x = bytes(inputs) + places(::torch::arange(inputs.size(1)));
    for (const auto& block : blocks) x = block->forward(x);
    return head(norm(x)).view({-1, vocabulary});
  }
};

std::unique_ptr<task> decoding(const task_settings& settings, size of) {
  const auto text = split(read_text(settings.folder / "bible.txt"), window);
  return torch_task(
      {.about = {.data = "King James Bible",
                 .model = fmt::format("GPT of {} blocks, {} channels", of.depth, of.channels),
                 .batches = fmt::format("{} windows of {} bytes", settings.batch, window),
                 .split = fmt::format("{} bytes to train; {} to {} that it never trains on.", text.training.size(),
                                      (settings.tuning ? text.tuning : text.validation).size(),
                                      settings.tuning ? "choose settings by" : "validate"),
                 .unit = "bits a byte",
                 .fused = "*.qkv.weight",
                 .kind = data_kind::text},
       .data = windows(text, window, settings),
       .network = [of] { return std::make_shared<decoder>(of); },
       .nats_a_unit = std::log(2.0)});
}

}  // namespace

std::unique_ptr<task> gpt(const task_settings& settings) { return decoding(settings, {.channels = 64, .depth = 3}); }
std::unique_ptr<task> gpt_1m(const task_settings& settings) { return decoding(settings, {.channels = 128, .depth = 5}); }

}  // namespace race
