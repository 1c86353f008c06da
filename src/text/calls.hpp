// Parses a text into calls.
#pragma once

#include <string>
#include <string_view>

#include <thalweg/text/call.hpp>

namespace thalweg::text {

/// Throws if a bracket, a comma or a name is at a wrong place.
pipe calls_of(std::string_view text);

/// Whether it can be one word's text: letters, digits and '_', no digit first.
bool is_name(std::string_view text);

}  // namespace thalweg::text
