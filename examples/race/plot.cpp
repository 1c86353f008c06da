#include "plot.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include <fmt/core.h>

#include "gnuplot.hpp"
#include "text.hpp"

namespace race {
namespace {

struct panel {
  std::string_view title;
  metric value;
  bool logarithmic;
  double left, right;  // its place on the canvas
};
constexpr panel loss{"Validation loss", validation_loss, true, 0.05, 0.365};
constexpr panel accuracy{"Validation accuracy, %", validation_percent, false, 0.55, 0.865};

// From a value to its height in the panel, 0 … 1, and the range that this takes.
struct axis {
  double low, high;
  bool logarithmic;

  double scaled(double v) const { return logarithmic ? std::log(v) : v; }
  double height(double v) const { return (scaled(v) - scaled(low)) / (scaled(high) - scaled(low)); }

  // Round numbers, the finest set of which no more than eight fit.
  std::string tics() const {
    std::vector<double> at;
    for (const double base : {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0}) {
      at.clear();
      for (double v = std::ceil(low / base) * base; v <= high && at.size() < 9; v += base) at.push_back(v);
      if (at.size() < 9) break;
    }
    return joined(at, ", ");
  }
};

// The steep beginning, before 10 % of the budget, may leave the panel.
axis axis_of(const panel& panel, std::span<const result> results) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const result& r : results)
    for (std::size_t i = index_of(10); i < r.runs.front().curve.size(); ++i) {
      const auto [mean, deviation] = over_seeds(r, i, panel.value);
      if (!std::isfinite(mean)) continue;
      low = std::min(low, mean - deviation);
      high = std::max(high, mean + deviation);
    }
  if (!(low < high)) return {0.1, 1, panel.logarithmic};  // nothing that could be shown
  if (panel.logarithmic) return {std::max(low, 1e-3) / 1.03, high * 1.03, true};
  return {low - 0.05 * (high - low), high + 0.05 * (high - low), false};
}

struct label {
  double height;
  std::string_view text;
  const stroke* style;
};

// Curves that end together have labels that do not: too close a pair is pushed apart until none is left.
void spread_out(std::vector<label>& labels) {
  constexpr double apart = 0.05;
  std::ranges::sort(labels, {}, &label::height);
  for (int round = 0; round < 200; ++round)
    for (std::size_t i = 1; i < labels.size(); ++i) {
      const double lack = apart - (labels[i].height - labels[i - 1].height);
      if (lack <= 0) continue;
      labels[i - 1].height -= lack / 2;
      labels[i].height += lack / 2;
    }
  const double up = std::max(0.0, 0.03 - labels.front().height) - std::max(0.0, labels.back().height - 0.99);
  for (label& l : labels) l.height += up;
}

std::string commands(const panel& panel, std::span<const result> results, const std::string& unit) {
  const auto& points = results.front().runs.front().curve;
  const axis y = axis_of(panel, results);

  std::string script = fmt::format("set title '{}{}{}' font ',16' offset 0,0.3\n", panel.title, unit.empty() ? "" : ", ", unit);
  script += fmt::format("set lmargin at screen {}\nset rmargin at screen {}\n", panel.left, panel.right);
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", points[index_of(5)].step,
                        points.back().step, y.low, y.high);
  script += fmt::format("{} logscale y\nset ytics ({})\n", y.logarithmic ? "set" : "unset", y.tics());
  script += "set xtics (";
  for (const int percent : marks) {
    const long step = points[index_of(percent)].step;
    script += fmt::format("{}\"{} %%\\nstep {}\" {}", percent == marks[0] ? "" : ", ", percent, step, step);
  }
  script += ")\n";

  std::string bands, lines;
  std::vector<label> labels;
  for (const result& r : results) {
    const auto& style = stroke_of(static_cast<std::size_t>(&r - results.data()), r.key);
    script += fmt::format("${} << END\n", r.key);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto [mean, deviation] = over_seeds(r, i, panel.value);
      script += fmt::format("{} {} {} {}\n", points[i].step, mean, mean - deviation, mean + deviation);
    }
    script += "END\n";
    if (r.runs.size() > 1)
      bands +=
          fmt::format("${} using 1:3:4 with filledcurves fs transparent solid 0.15 noborder lc rgb '{}', ",
                      r.key, style.colour);
    lines += fmt::format("${} using 1:2 with lines lw {} lc rgb '{}' dt {}, ", r.key, style.width,
                         style.colour, style.dash);
    const double end = y.height(over_seeds(r, points.size() - 1, panel.value).mean);
    labels.push_back({std::isnan(end) ? 1 : std::clamp(end, 0.0, 1.0), r.name, &style});
  }
  spread_out(labels);
  for (const label& l : labels)
    script += fmt::format("set label '{}' at graph 1.02, graph {} tc rgb '{}' font '{},14'\n", l.text,
                          l.height, l.style->colour, l.style->key == "amuse" ? "DejaVu Sans Bold" : "");
  return script + "plot " + bands + lines.substr(0, lines.size() - 2) + "\nunset label\n";
}

}  // namespace

bool draw(const std::filesystem::path& path, std::span<const result> results, const caption& caption) {
  std::string script = "set encoding utf8\n";
  script += "set terminal pngcairo size 1800,820 noenhanced font 'DejaVu Sans,13' background rgb 'white'\n";
  script += fmt::format("set output {}\nset multiplot\n", quotation(path.string()));
  script += fmt::format("set label {} at screen 0.02,0.95 font 'DejaVu Sans Bold,20' tc rgb '#222222'\n",
                        quotation(caption.title));
  script += fmt::format("set label {} at screen 0.02,0.035 font ',12' tc rgb '#666666'\n",
                        quotation(caption.below));
  script += "set tmargin at screen 0.82\nset bmargin at screen 0.2\nset logscale x\nunset key\n";
  script += "set border 3 lc rgb '#888888'\nset tics nomirror textcolor rgb '#444444'\n";
  script += "set xlabel 'share of the budget (logarithmic)' offset 0,-1.2 tc rgb '#444444'\n";
  script += "set grid xtics ytics lt 1 lw 1 lc rgb '#e4e4e4'\n";
  script += commands(loss, results, caption.unit) + commands(accuracy, results, "") + "unset multiplot\nunset output\n";

  return run_gnuplot(script);
}

}  // namespace race
