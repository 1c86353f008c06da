#include "summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/core.h>

#include "../race/aligned.hpp"

namespace valley {
namespace {

struct row {
  std::string_view measure, title;
};
constexpr std::array own_rows{
    row{"dominant_share_of_gradient", "dominant share of the gradient"},
    row{"dominant_share_of_update", "dominant share of the update of z"},
    row{"dominant_share_of_update_at_y", "… of y"},
    row{"dominant_share_of_update_at_x", "… of x"},
    row{"straightness_in_dominant", "straightness in the dominant subspace"},
    row{"straightness_in_bulk", "straightness in the bulk"},
    row{"bulk_distance_at_x", "way of x along the bulk"},
    row{"loss_fallen_at_x", "by which the loss at x falls on it"},
    row{"sign_changes_at_z", "sign changes of z"},
    row{"sign_changes_at_y", "… of y"},
    row{"sign_changes_at_x", "… of x"},
    row{"autocorrelation_at_z", "lag-one autocorrelation of z"},
    row{"autocorrelation_at_y", "… of y"},
    row{"autocorrelation_at_x", "… of x"},
    row{"hill_loss_at_z", "hill loss at z"},
    row{"hill_loss_at_y", "… at y"},
    row{"hill_loss_at_x", "… at x"},
    row{"loss_at_z", "loss at z"},
    row{"loss_at_y", "… at y"},
    row{"loss_at_x", "… at x"},
    row{"beta", "place of y between z (0) and x (1)"},
    row{"curvature_1", "top eigenvalue"},
    row{"curvature_kept", "dominant curvature kept until the last step"},
    row{"curvature_times_step", "top eigenvalue times the effective step of z"},
    row{"curvature_times_step_at_y", "… of y"},
};
constexpr std::array rider_rows{
    row{"dominant_share_of_update", "dominant share of the update of z"},
    row{"straightness_in_dominant", "straightness in the dominant subspace"},
    row{"straightness_in_bulk", "straightness in the bulk"},
    row{"curvature_times_step", "top eigenvalue times the effective step of z"},
};

std::map<unsigned, double> means(const history& h) {
  std::map<unsigned, double> all;
  for (const auto& [seed, values] : h) {
    double sum = 0;
    for (const auto& [step, value] : values) sum += value;
    all[seed] = sum / static_cast<double>(values.size());
  }
  return all;
}

std::optional<race::interval> interval_of(const std::vector<double>& sample) {
  return sample.empty() ? std::nullopt : std::optional(race::interval_of(sample));
}

std::string shown(const std::optional<race::interval>& i) {
  if (!i) return "";
  return i->half_width ? fmt::format("{:.3g} ± {:.1g}", i->mean, *i->half_width) : fmt::format("{:.3g}", i->mean);
}
std::string shown_difference(const std::optional<race::interval>& i) {
  if (!i) return "";
  if (!i->half_width) return fmt::format("{:+.3g}", i->mean);
  return fmt::format("{:+.3g} [{:+.3g}, {:+.3g}]", i->mean, i->mean - *i->half_width, i->mean + *i->half_width);
}

// a - b for the seeds that both have.
std::optional<race::interval> paired(const history& a, const history& b) {
  const auto of_a = means(a), of_b = means(b);
  std::vector<double> differences;
  for (const auto& [seed, value] : of_a)
    if (const auto other = of_b.find(seed); other != of_b.end()) differences.push_back(value - other->second);
  return interval_of(differences);
}

// A column for each optimizer that has a number in one of the rows.
template <class Cell>
std::string table(std::string title, std::span<const row> rows, const std::vector<race::contender>& optimizers, Cell cell) {
  std::vector<race::cells> lines{{std::move(title)}};
  for (const row& r : rows) lines.push_back({std::string(r.title)});
  for (const race::contender& who : optimizers) {
    race::cells column;
    for (const row& r : rows) column.push_back(cell(who, r.measure));
    if (std::ranges::all_of(column, &std::string::empty)) continue;
    lines.front().push_back(who.name);
    for (std::size_t i = 0; i < column.size(); ++i) lines[i + 1].push_back(column[i]);
  }
  std::erase_if(lines, [](const race::cells& line) {
    return std::all_of(line.begin() + 1, line.end(), [](const std::string& text) { return text.empty(); });
  });
  return lines.empty() ? "" : race::aligned(lines) + '\n';
}

}  // namespace

history history_of(const observations& all, const std::string& trajectory, const std::string& optimizer,
                   std::string_view measure) {
  history h;
  for (const measured& m : all.numbers)
    if (m.trajectory == trajectory && m.optimizer == optimizer && m.measure == measure) h[m.seed][m.step] = m.value;
  if (!h.empty() || trajectory != optimizer) return h;

  std::map<std::pair<unsigned, long>, std::vector<double>> along;
  for (const swing& s : all.swings) {
    if (s.optimizer != optimizer) continue;
    const std::optional<double>* value = nullptr;
    if (measure == fmt::format("sign_changes_at_{}", s.sequence)) value = &s.sign_changes;
    if (measure == fmt::format("autocorrelation_at_{}", s.sequence)) value = &s.autocorrelation;
    if (value && *value) along[{s.seed, s.step}].push_back(**value);
  }
  for (const auto& [where, values] : along) h[where.first][where.second] = race::interval_of(values).mean;
  return h;
}

std::map<long, race::interval> by_step(const history& h) {
  std::map<long, std::vector<double>> values;
  for (const auto& [seed, of_seed] : h)
    for (const auto& [step, value] : of_seed) values[step].push_back(value);
  std::map<long, race::interval> all;
  for (const auto& [step, of_step] : values) all[step] = race::interval_of(of_step);
  return all;
}

std::optional<race::interval> overall(const history& h) {
  std::vector<double> sample;
  for (const auto& [seed, mean] : means(h)) sample.push_back(mean);
  return interval_of(sample);
}

std::string tables(const observations& all, const settings& settings) {
  const std::string& followed = settings.followed;
  const auto name_of = [&](const std::string& key) {
    const auto who = std::ranges::find(settings.optimizers, key, &race::contender::key);
    return who == settings.optimizers.end() ? key : who->name;
  };
  return table("on its own", own_rows, settings.optimizers,
               [&](const race::contender& who, std::string_view measure) {
                 return shown(overall(history_of(all, who.key, who.key, measure)));
               }) +
         table(name_of(followed) + " minus", own_rows, settings.optimizers,
               [&](const race::contender& who, std::string_view measure) {
                 return who.key == followed ? ""
                                            : shown_difference(paired(history_of(all, followed, followed, measure),
                                                                      history_of(all, who.key, who.key, measure)));
               }) +
         table("on the trajectory of " + name_of(followed), rider_rows, settings.optimizers,
               [&](const race::contender& who, std::string_view measure) {
                 return shown(overall(history_of(all, followed, who.key, measure)));
               }) +
         table("there, momentum minus", rider_rows, settings.optimizers,  // where it rides
               [&](const race::contender& who, std::string_view measure) {
                 return who.key == "momentum" ? ""
                                              : shown_difference(paired(history_of(all, followed, "momentum", measure),
                                                                        history_of(all, followed, who.key, measure)));
               });
}

}  // namespace valley
