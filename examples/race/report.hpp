#pragma once
// The race in numbers: Markdown tables that also read well in a terminal, and a CSV file in long format.

#include <filesystem>
#include <span>
#include <string>

#include "results.hpp"

namespace race {

// Losses (in `unit`, where it is not empty) and accuracy at the marks of the budget, and the cost of a step; with seeds
// mean ± deviation. Beside each the differences between AMUSE and everybody else, seed by seed, with 95 % intervals.
std::string tables(std::span<const result> results, const std::string& unit);

// A row for each learning rate and weight decay: the loss at the same marks. Each contender's best at the end is set bold.
std::string tuning_table(std::span<const result> results, const std::string& unit);

void write_csv(const std::filesystem::path& path, std::span<const result> results);

}  // namespace race
