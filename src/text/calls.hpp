// From text to the calls that it is made of.
#pragma once

#include <string>
#include <string_view>

#include <thalweg/text/call.hpp>

namespace thalweg::text {

/// Throws where brackets, commas and names are not where they must be.
pipe calls_of(std::string_view text);

/// Whether it can be one word's text: letters, digits and '_', no digit first.
bool is_name(std::string_view text);

}  // namespace thalweg::text
