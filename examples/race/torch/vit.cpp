// A small vision transformer: 16 patches of 7×7 pixels, three blocks, the mean of all places.
#include "images.hpp"
#include "networks.hpp"
#include "transformer.hpp"

namespace race {
namespace {

namespace nn = ::torch::nn;

constexpr std::int64_t patch = 7, places = 16, channels = 64, heads = 4, depth = 3;

struct vision_transformer final : network_of_tensors {
  nn::Conv2d patches{nullptr};
  ::torch::Tensor position;
  std::vector<std::shared_ptr<transformer_block>> blocks;
  nn::LayerNorm norm{nullptr};
  nn::Linear head{nullptr};

  vision_transformer() {
    patches = register_module("patch_embedding", nn::Conv2d(nn::Conv2dOptions(1, channels, patch).stride(patch)));
    position = register_parameter("position_embedding", 0.02 * ::torch::randn({places, channels}));
    for (std::int64_t i = 0; i < depth; ++i)
      blocks.push_back(register_module("block" + std::to_string(i),
                                       std::make_shared<transformer_block>(channels, heads, false)));
    norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({channels})));
    head = register_module("head", nn::Linear(channels, 10));
  }

  ::torch::Tensor forward(const ::torch::Tensor& images) override {
    auto x = patches(images).flatten(2).transpose(1, 2) + position;
    for (const auto& block : blocks) x = block->forward(x);
    return head(norm(x).mean(1));
  }
};

}  // namespace

std::unique_ptr<task> vit(const task_settings& settings) {
  auto [about, data] = fashion_mnist_as_tensors(settings);
  about.model = "vision transformer of 3 blocks, 64 channels";
  about.fused = "*.qkv.weight";
  return torch_task({.about = std::move(about),
                     .data = std::move(data),
                     .network = [] { return std::make_shared<vision_transformer>(); }});
}

}  // namespace race
