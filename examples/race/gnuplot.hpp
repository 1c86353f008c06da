#pragma once
// What all pictures share: gnuplot, and how each optimizer's curve looks.

#include <cstddef>
#include <string>
#include <string_view>

namespace race {

// Okabe and Ito's colours, which the colour-blind tell apart too. Dashed: its schedule must know the end.
struct stroke {
  std::string_view key, colour, dash;
  double width;
};

// The style of the optimizer with this key. Chains of the command line are styled by number.
const stroke& stroke_of(std::size_t number, const std::string& key);

// A text as gnuplot reads it.
std::string quotation(std::string_view text);

// False where gnuplot is missing or fails.
bool run_gnuplot(const std::string& script);

}  // namespace race
