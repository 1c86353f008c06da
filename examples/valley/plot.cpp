#include "plot.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "../race/gnuplot.hpp"
#include "summary.hpp"

namespace valley {
namespace {

using race::quotation;

std::string begin(const std::filesystem::path& path, int height, std::string_view title, std::string_view below) {
  return fmt::format("set encoding utf8\n"
                     "set terminal pngcairo size 1800,{} noenhanced font 'DejaVu Sans,13' background rgb 'white'\n"
                     "set output {}\nset multiplot\n"
                     "set label 1 {} at screen 0.02,{} font 'DejaVu Sans Bold,20' tc rgb '#222222'\n"
                     "set label 2 {} at screen 0.02,{} font ',12' tc rgb '#666666'\n"
                     "unset key\nset border 3 lc rgb '#888888'\nset tics nomirror textcolor rgb '#444444'\n",
                     height, quotation(path.string()), quotation(title), 1 - 40.0 / height, quotation(below), 25.0 / height);
}

std::string place(double left, double right, double bottom, double top) {
  return fmt::format("set lmargin at screen {}\nset rmargin at screen {}\nset bmargin at screen {}\nset tmargin at screen {}\n",
                     left, right, bottom, top);
}

const race::stroke& stroke_of(const settings& settings, const race::contender& who) {
  return race::stroke_of(static_cast<std::size_t>(&who - settings.optimizers.data()), who.key);
}

struct panel {
  std::string title;
  std::string trajectory;  // empty: each optimizer's own
  std::string_view measure;
  bool logarithmic;
};

std::string commands(const panel& panel, const observations& all, const settings& settings) {
  std::string script, lines;
  for (const race::contender& who : settings.optimizers) {
    const auto curve =
        by_step(history_of(all, panel.trajectory.empty() ? who.key : panel.trajectory, who.key, panel.measure));
    if (curve.empty()) continue;
    script += fmt::format("${} << END\n", who.key);
    for (const auto& [step, value] : curve) script += fmt::format("{} {}\n", step, value.mean);
    script += "END\n";
    const auto& style = stroke_of(settings, who);
    lines += fmt::format("${} using 1:2 with linespoints pt 7 ps 0.8 lw {} lc rgb '{}' dt {}, ", who.key, style.width,
                         style.colour, style.dash);
  }
  if (lines.empty()) return "";
  lines.resize(lines.size() - 2);
  return script + fmt::format("set title {} font ',15' offset 0,0.3\n{} logscale y\nset format y '{}'\nplot {}\n", quotation(panel.title),
                              panel.logarithmic ? "set" : "unset", panel.logarithmic ? "%.0e" : "%g", lines);
}

std::string about(const settings& settings) {
  return fmt::format("{}, {}, {} steps of {}.", settings.about.data, settings.about.model, settings.plan.steps,
                     settings.about.batches);
}

}  // namespace

bool draw_measures(const std::filesystem::path& path, const observations& all, const settings& settings) {
  const auto& plan = settings.plan;
  std::string script = begin(
      path, 1200, "The valley: who crosses it, and who follows the river?",
      fmt::format("{} Each point: {} steps, with the top {} eigenvectors of the Hessian at their first y. Means over the seeds.",
                  about(settings), plan.window, plan.eigenvectors));
  script += "set xlabel 'step' tc rgb '#444444'\nset grid xtics ytics lt 1 lw 1 lc rgb '#e4e4e4'\n";
  double left = 0.02;
  int number = 10;
  std::string followed;
  for (const race::contender& who : settings.optimizers) {
    if (who.key == settings.followed) followed = who.name;
    script += fmt::format("set label {} {} at screen {},0.925 font 'DejaVu Sans Bold,14' tc rgb '{}'\n", number++,
                          quotation(who.name), left, stroke_of(settings, who).colour);
    left += 0.02 + 0.0075 * static_cast<double>(who.name.size());
  }
  const std::array panels{
      panel{"Share of the update (of z) in the dominant subspace", "", "dominant_share_of_update", false},
      panel{fmt::format("The same share, all given the gradients of {}", followed), settings.followed,
            "dominant_share_of_update", false},
      panel{"Hill loss at y: what its oscillation adds to the loss", "", "hill_loss_at_y", true},
      panel{"Lag-one autocorrelation of y along the dominant eigenvectors", "", "autocorrelation_at_y", false},
  };
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const double x = 0.05 + 0.49 * static_cast<double>(i % 2), y = i < 2 ? 0.53 : 0.09;
    script += place(x, x + 0.44, y, y + 0.33) + commands(panels[i], all, settings);
    if (i == 0) script += "unset label\n";
  }
  return race::run_gnuplot(script + "unset multiplot\nunset output\n");
}

bool draw_planes(const std::filesystem::path& path, const observations& all, const settings& settings) {
  std::vector<const race::contender*> shown;
  for (const race::contender& who : settings.optimizers)
    if (std::ranges::any_of(all.plane, [&](const point_of_plane& p) { return p.optimizer == who.key; })) shown.push_back(&who);
  if (shown.empty()) return true;
  constexpr std::size_t columns = 4;
  const std::size_t rows = (shown.size() + columns - 1) / columns;
  std::string script = begin(
      path, static_cast<int>(100 + 560 * rows), "One plane of the valley",
      fmt::format("{} The {} steps of one measurement. Across: the top eigenvector. Along: the bulk part of y's way. Grey: the loss, from dark (low) to "
                  "light. Blue: z, orange: y, green: x.",
                  about(settings), settings.plan.window));
  script += "set palette defined (0 '#8f8f8f', 1 '#f8f8f8')\nunset colorbox\nset ylabel 'across the valley' tc rgb '#444444'\n"
            "set xlabel 'along the bulk' tc rgb '#444444'\n";
  const double width = 0.96 / static_cast<double>(std::min(columns, shown.size()));
  const double height = 560.0 / (100.0 + 560.0 * static_cast<double>(rows)), highest = 1 - 0.12 * height;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const race::contender* who = shown[i];
    const double left = 0.05 + width * static_cast<double>(i % columns);
    const double top = highest - height * static_cast<double>(i / columns);
    const auto block = [&](std::string_view of) {
      std::string rows = fmt::format("${}_{} << END\n", who->key, of);
      std::optional<double> row;
      for (const point_of_plane& p : all.plane) {
        if (p.optimizer != who->key || p.of != of) continue;
        if (p.loss && row && *row != p.dominant) rows += '\n';  // gnuplot's grids have empty lines between their rows
        row = p.dominant;
        rows += fmt::format("{} {} {}\n", p.bulk, p.dominant, p.loss.value_or(0));
      }
      return rows + "END\n";
    };
    for (const std::string_view of : {"loss", "z", "y", "x"}) script += block(of);
    script += place(left, left + width - 0.06, top - 0.76 * height, top - 0.07 * height) +
              fmt::format("set title {} font ',15'\nset autoscale xfix\nset autoscale yfix\n", quotation(who->name));
    const auto path_of = [&](std::string_view of, std::string_view colour, double thick) {
      return fmt::format("${}_{} using 1:2 with linespoints pt 7 ps 0.5 lw {} lc rgb '{}'", who->key, of, thick, colour);
    };
    script += fmt::format("plot ${}_loss using 1:2:3 with image, {}, {}, {}\nunset label\n", who->key,
                          path_of("z", "#0072B2", 1.2), path_of("y", "#E69F00", 1.8), path_of("x", "#009E73", 2.5));
  }
  return race::run_gnuplot(script + "unset multiplot\nunset output\n");
}

}  // namespace valley
