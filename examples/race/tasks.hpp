#pragma once

#include <array>

#include "perceptron.hpp"

namespace race {

constexpr std::string_view fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";

inline constexpr std::array tasks_without_torch{
    named_task{"perceptron", 6000, 128, fashion_mnist_folder, perceptron_on_fashion_mnist},
    named_task{"digits", 1000, 64, "/usr/lib/python3/dist-packages/sklearn/datasets/data", perceptron_on_digits},
};

}  // namespace race
