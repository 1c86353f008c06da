// Saves what read.py reads and knows by heart: one step from zero with gradients of small whole numbers and halves.
//   checkpoint-sample FOLDER
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include <string>
#include <vector>

using namespace thalweg;

template <class T>
void save(const std::string& folder, const std::string& name) {
  const auto numbers = [](std::size_t n) {
    std::vector<T> all(n);
    for (std::size_t i = 0; i < n; ++i) all[i] = static_cast<T>(i) + T(0.5);
    return all;
  };
  std::vector<T> w(6), c(6), s(1), g = numbers(6), one = numbers(1);
  const auto chain = nesterov_ema{.beta = 0.5} | update_by_schedule_free{.beta = 0.5};
  const auto parameters = std::vector<parameter<T>>{
      {.name = "größe/w", .shape = {2, 3}, .data = w.data()},
      {.name = "columns", .shape = {2, 3}, .data = c.data(), .order = storage_order::column_major},
      {.name = "one", .shape = {}, .data = s.data()}};
  auto opt = optimizer(chain, parameters, {.lr = 1, .weight_lr_power = 0.1});
  opt.step({g, g, one});
  opt.lr(0.30000000000000004);
  opt.save(folder + "/" + name + ".y");
  const auto point = opt.evaluation_point();
  opt.save(folder + "/" + name + ".x");
}

int main(int, char** argv) {
  save<float>(argv[1], "F32");
  save<double>(argv[1], "F64");
}
