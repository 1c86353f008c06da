#pragma once
// Observations as files, so that pictures and tables are made again without training.

#include <filesystem>

#include "watch.hpp"

namespace valley {

// numbers.csv, swings.csv and plane.csv of a folder. A missing file has no rows. Throws `error` for a line that does not have
// the expected form.
observations read(const std::filesystem::path& folder);

// Adds the rows of one run to the folder's files. numbers.csv comes last: a run that it names is whole.
void append(const std::filesystem::path& folder, const observations& run);

}  // namespace valley
