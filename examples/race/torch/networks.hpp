#pragma once
// The networks that libtorch trains: each in a file of its own.

#include <memory>

#include "learner.hpp"

namespace race {

std::unique_ptr<task> gpt(const task_settings& settings);                 // 0.2 M parameters
std::unique_ptr<task> gpt_1m(const task_settings& settings);              // 1 M parameters
std::unique_ptr<task> convnet(const task_settings& settings);             // group norms
std::unique_ptr<task> convnet_batch_norm(const task_settings& settings);  // batch norms, gathered anew at x
std::unique_ptr<task> vit(const task_settings& settings);

}  // namespace race
