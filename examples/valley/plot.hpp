#pragma once
// The valley in pictures.

#include <filesystem>

#include "settings.hpp"
#include "watch.hpp"

namespace valley {

// Dominant share and oscillation against steps. False where gnuplot is missing or fails.
bool draw_measures(const std::filesystem::path& path, const observations& all, const settings& settings);

// For each optimizer the plane of the top eigenvector and the bulk part of y's way, with the loss and the paths of z, y and x.
bool draw_planes(const std::filesystem::path& path, const observations& all, const settings& settings);

}  // namespace valley
