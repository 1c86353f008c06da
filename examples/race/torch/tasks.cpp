#include "../tasks.hpp"

#include <vector>

#include "networks.hpp"

namespace race {

std::span<const named_task> all_tasks() {
  static const auto all = [] {
    std::vector<named_task> tasks(tasks_without_torch.begin(), tasks_without_torch.end());
    tasks.push_back({"gpt", 800, 8, "build-data/bible", gpt});
    tasks.push_back({"gpt_1m", 800, 8, "build-data/bible", gpt_1m});
    tasks.push_back({"convnet", 600, 32, fashion_mnist_folder, convnet});
    tasks.push_back({"convnet_batch_norm", 600, 32, fashion_mnist_folder, convnet_batch_norm});
    tasks.push_back({"vit", 500, 32, fashion_mnist_folder, vit});
    return tasks;
  }();
  return all;
}

}  // namespace race
