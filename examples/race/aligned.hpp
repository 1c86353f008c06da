#pragma once

#include <string>
#include <vector>

namespace race {

using cells = std::vector<std::string>;

// A Markdown table that also reads well in a terminal. The first row is the head; columns line up.
std::string aligned(const std::vector<cells>& rows);

}  // namespace race
