#pragma once
// The tasks without libtorch: a perceptron with hand-written gradients on small images.

#include "data.hpp"
#include "task.hpp"

namespace race {

// `settings.hidden` defaults to two layers of 64.
std::unique_ptr<task> perceptron(data_set data, const task_settings& settings);

std::unique_ptr<task> perceptron_on_fashion_mnist(const task_settings& settings);
std::unique_ptr<task> perceptron_on_digits(const task_settings& settings);

}  // namespace race
