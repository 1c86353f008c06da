// A small residual network: three stages of a block, with group norms or batch norms.
#include <algorithm>
#include <utility>

#include "images.hpp"
#include "networks.hpp"

namespace race {
namespace {

namespace nn = ::torch::nn;

enum class norm { group, batch };

nn::AnyModule norm_of(norm kind, std::int64_t channels) {
  return kind == norm::group ? nn::AnyModule(nn::GroupNorm(channels / 8, channels)) : nn::AnyModule(nn::BatchNorm2d(channels));
}

nn::Conv2d filters(std::int64_t from, std::int64_t to, std::int64_t side, std::int64_t stride) {
  return nn::Conv2d(nn::Conv2dOptions(from, to, side).stride(stride).padding(side / 2).bias(false));
}

struct residual_block : nn::Module {
  nn::Conv2d first{nullptr}, second{nullptr}, shortcut{nullptr};
  nn::AnyModule first_norm, second_norm;

  residual_block(norm kind, std::int64_t from, std::int64_t to, std::int64_t stride)
      : first_norm(norm_of(kind, to)), second_norm(norm_of(kind, to)) {
    first = register_module("first", filters(from, to, 3, stride));
    register_module("first_norm", first_norm.ptr());
    second = register_module("second", filters(to, to, 3, 1));
    register_module("second_norm", second_norm.ptr());
    if (from != to || stride != 1) shortcut = register_module("shortcut", filters(from, to, 1, stride));
  }

  ::torch::Tensor forward(const ::torch::Tensor& x) {
    const auto inner = ::torch::relu(first_norm.forward(first(x)));
    return ::torch::relu(second_norm.forward(second(inner)) + (shortcut ? shortcut(x) : x));
  }
};

struct residual_network final : network_of_tensors {
  nn::Conv2d stem{nullptr};
  nn::AnyModule stem_norm;
  std::vector<std::shared_ptr<residual_block>> blocks;
  nn::Linear head{nullptr};

  explicit residual_network(norm kind) : stem_norm(norm_of(kind, 16)) {
    stem = register_module("stem", filters(1, 16, 3, 2));
    register_module("stem_norm", stem_norm.ptr());
    for (const auto& [from, to] : {std::pair{16, 16}, std::pair{16, 32}, std::pair{32, 64}})
      blocks.push_back(register_module("block" + std::to_string(blocks.size()),
                                       std::make_shared<residual_block>(kind, from, to, to / from)));
    head = register_module("head", nn::Linear(64, 10));
  }

  ::torch::Tensor forward(const ::torch::Tensor& images) override {
    auto x = ::torch::relu(stem_norm.forward(stem(images)));
    for (const auto& block : blocks) x = block->forward(x);
    return head(x.mean({2, 3}));
  }
};

std::unique_ptr<task> residual(const task_settings& settings, norm kind) {
  auto [about, data] = fashion_mnist_as_tensors(settings);
  about.model = kind == norm::group ? "residual network with group norms" : "residual network with batch norms";
  return torch_task({.about = std::move(about),
                     .data = std::move(data),
                     .network = [kind] { return std::make_shared<residual_network>(kind); }});
}

}  // namespace

std::unique_ptr<task> convnet(const task_settings& settings) { return residual(settings, norm::group); }
std::unique_ptr<task> convnet_batch_norm(const task_settings& settings) { return residual(settings, norm::batch); }

}  // namespace race
