#include "gnuplot.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>

namespace race {
namespace {

constexpr std::array strokes{
    stroke{"adamw", "#56B4E9", "(14,7)", 2.5},
    stroke{"adamw_wsd", "#56B4E9", "(4,6)", 2.5},
    stroke{"sf_adamw", "#0072B2", "solid", 2.5},
    stroke{"muon", "#E69F00", "(14,7)", 2.5},
    stroke{"muon_wsd", "#E69F00", "(4,6)", 2.5},
    stroke{"sf_muon", "#009E73", "solid", 2.5},
    stroke{"amuse", "#D55E00", "solid", 4.5},
};

// Chains on the command line take turns.
constexpr std::array other_strokes{
    stroke{"", "#CC79A7", "solid", 2.5},
    stroke{"", "#000000", "solid", 2.5},
    stroke{"", "#8C564B", "solid", 2.5},
    stroke{"", "#999999", "solid", 2.5},
    stroke{"", "#7B4FBF", "solid", 2.5},
    stroke{"", "#B8A800", "solid", 2.5},
    stroke{"", "#17A2B8", "solid", 2.5},
    stroke{"", "#7A1F3D", "solid", 2.5},
    stroke{"", "#4C6B22", "solid", 2.5},
};

}  // namespace

const stroke& stroke_of(std::size_t number, const std::string& key) {
  const auto known = std::ranges::find(strokes, key, &stroke::key);
  return known != strokes.end() ? *known : other_strokes[number % other_strokes.size()];
}

std::string quotation(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}

bool run_gnuplot(const std::string& script) {
  std::signal(SIGPIPE, SIG_IGN);  // where gnuplot is missing, writing to it must not end the program
  std::FILE* gnuplot = popen("gnuplot", "w");
  if (!gnuplot) return false;
  const bool written = std::fwrite(script.data(), 1, script.size(), gnuplot) == script.size();
  return pclose(gnuplot) == 0 && written;
}

}  // namespace race
