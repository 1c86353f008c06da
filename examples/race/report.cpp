#include "report.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string_view>

#include <fmt/core.h>
#include <fmt/ostream.h>

#include "aligned.hpp"
#include "error.hpp"

namespace race {
namespace {

// "-0.0120 [-0.0170, -0.0070]"
std::string shown(const interval& i, int digits) {
  const auto mean = fmt::format("{:+.{}f}", i.mean, digits);
  return i.half_width ? fmt::format("{} [{:+.{}f}, {:+.{}f}]", mean, i.mean - *i.half_width, digits,
                                    i.mean + *i.half_width, digits)
                      : mean;
}

std::string with_unit(const std::string& what, const std::string& unit) {
  return unit.empty() ? what : what + ", " + unit;
}

cells head(std::string title, std::span<const result> results) {
  cells row{std::move(title)};
  for (const int percent : marks)
    row.push_back(
        fmt::format("{} % (step {})", percent, results.front().runs.front().curve[index_of(percent)].step));
  return row;
}

std::string shown(const spread& s, int digits, bool several, bool best) {
  const auto text = several ? fmt::format("{:.{}f} ± {:.{}f}", s.mean, digits, s.deviation, digits)
                            : fmt::format("{:.{}f}", s.mean, digits);
  return best ? "**" + text + "**" : text;
}

double or_worst(double loss) { return std::isnan(loss) ? std::numeric_limits<double>::infinity() : loss; }

// `sign`: +1 where the smallest is the best, −1 where the largest is.
std::string table(const std::string& title, std::span<const result> results, metric value, int digits,
                  int sign) {
  std::vector<cells> rows{head(title, results)};
  for (const result& r : results) rows.push_back({r.name});
  for (const int percent : marks) {
    std::vector<spread> column;
    for (const result& r : results) column.push_back(over_seeds(r, index_of(percent), value));
    const auto rank = [&](const spread& s) { return or_worst(sign * s.mean); };
    const double best = rank(*std::ranges::min_element(column, {}, rank));
    for (std::size_t i = 0; i < results.size(); ++i) {
      const bool wins = results.size() > 1 && rank(column[i]) == best;
      rows[i + 1].push_back(shown(column[i], digits, results[i].runs.size() > 1, wins));
    }
  }
  return aligned(rows);
}

// AMUSE, or the first where it does not race, minus each of the others.
std::string differences(const std::string& title, std::span<const result> results, metric value, int digits) {
  if (results.size() < 2) return "";
  const auto amuse = std::ranges::find(results, "amuse", &result::key);
  const result& ours = amuse == results.end() ? results.front() : *amuse;
  std::vector<cells> rows{head(title, results)};
  for (const result& r : results) {
    if (&r == &ours) continue;
    rows.push_back({ours.name + " − " + r.name});
    for (const int percent : marks) rows.back().push_back(shown(paired(ours, r, index_of(percent), value), digits));
  }
  return '\n' + aligned(rows);
}

std::string table_and_differences(const std::string& title, std::span<const result> results, metric value, int digits,
                                  int sign) {
  const bool several = results.front().runs.size() > 1;
  return table(title, results, value, digits, sign) +
         differences(title + (several ? ": mean difference [95 % interval]" : ": difference"), results, value, digits) + '\n';
}

std::string costs(std::span<const result> results) {
  std::vector<cells> rows{{"cost", "learning rate", "weight decay", "ms a step", "of it in the optimizer"}};
  for (const result& r : results) {
    const auto seconds = over_seeds(r, [](const run& run) { return run.seconds_a_step; });
    const auto share = over_seeds(r, [](const run& run) { return run.optimizer_share; });
    rows.push_back({r.name, fmt::format("{:g}", r.lr), fmt::format("{:g}", r.weight_decay), fmt::format("{:.2f}", 1e3 * seconds.mean),
                    fmt::format("{:.0f} %", 100 * share.mean)});
  }
  return aligned(rows);
}

}  // namespace

std::string tables(std::span<const result> results, const std::string& unit) {
  return table_and_differences(with_unit("training loss", unit), results, training_loss, 4, +1) +
         table_and_differences(with_unit("validation loss", unit), results, validation_loss, 4, +1) +
         table_and_differences("validation accuracy, %", results, validation_percent, 2, -1) + costs(results);
}

std::string tuning_table(std::span<const result> results, const std::string& unit) {
  const auto last = [](const result& r) {
    return or_worst(over_seeds(r, index_of(100), validation_loss).mean);
  };
  std::vector<cells> rows{head(with_unit("tuning loss", unit), results)};
  rows.front().insert(rows.front().begin() + 1, {"learning rate", "weight decay"});
  for (const result& r : results) {
    const bool best = std::ranges::none_of(
        results, [&](const result& other) { return other.key == r.key && last(other) < last(r); });
    rows.push_back({r.name, fmt::format("{:g}", r.lr), fmt::format("{:g}", r.weight_decay)});
    for (const int percent : marks)
      rows.back().push_back(shown(over_seeds(r, index_of(percent), validation_loss), 4, r.runs.size() > 1,
                                  best && percent == 100));
  }
  return aligned(rows);
}

void write_csv(const std::filesystem::path& path, std::span<const result> results) {
  std::ofstream file(path);
  fmt::print(file, "optimizer,lr,weight_decay,seed,step,metric,value\n");
  for (const result& r : results)
    for (std::size_t i = 0; i < r.runs.size(); ++i) {
      const auto line = [&](long step, std::string_view metric, double value) {
        fmt::print(file, "{},{:g},{:g},{},{},{},{:.6g}\n", r.key, r.lr, r.weight_decay, r.seeds[i], step, metric, value);
      };
      const run& run = r.runs[i];
      for (const point& p : run.curve) {
        line(p.step, "training_loss", p.training.loss);
        line(p.step, "training_accuracy", p.training.accuracy);
        line(p.step, "validation_loss", p.validation.loss);
        line(p.step, "validation_accuracy", p.validation.accuracy);
      }
      line(run.curve.back().step, "seconds_a_step", run.seconds_a_step);
      line(run.curve.back().step, "optimizer_share", run.optimizer_share);
    }
  file.flush();
  if (!file)
    throw error(fmt::format("a file that can be written at {}", path.string()), "a failure to write it");
}

}  // namespace race
