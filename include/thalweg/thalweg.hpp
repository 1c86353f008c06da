// thalweg: optimizers as values. Include this header. Eigen, xtensor and trainers have adaptors of their own.
#pragma once

#include <thalweg/core/linear_algebra.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/core/qk_clip.hpp>
#include <thalweg/core/unfused.hpp>
#include <thalweg/recipes.hpp>
#include <thalweg/transforms.hpp>
