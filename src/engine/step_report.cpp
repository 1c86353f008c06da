// The report of a step, as text.
#include <thalweg/core/step.hpp>

#include <cmath>

#include <nlohmann/json.hpp>

namespace thalweg {

namespace {

using json = nlohmann::ordered_json;

/// Null where it is not finite: JSON has no such numbers.
json json_of(double value) { return std::isfinite(value) ? json(value) : json(); }
json json_of(const std::optional<double>& value) { return value ? json_of(*value) : json(); }

/// A cell of CSV (RFC 4180).
std::string cell(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted += '"';
}
std::string cell(const std::optional<double>& value) { return value ? to_text(*value) : ""; }

}  // namespace

std::string to_json(long step, const step_report& report) {
  json line{{"step", step}, {"taken", report.taken}, {"lr", json_of(report.lr)}, {"gradient_norm", json_of(report.gradient_norm)},
            {"without_gradient", report.without_gradient}};
  if (!report.parameter.empty()) line["not_finite"] = report.parameter;
  auto& parameters = line["parameters"] = json::array();
  for (const parameter_report& p : report.parameters)
    parameters.push_back({{"name", p.name}, {"gradient_norm", json_of(p.gradient_norm)}, {"update_norm", json_of(p.update_norm)},
                          {"parameter_norm", json_of(p.parameter_norm)}, {"ratio", json_of(p.ratio())},
                          {"largest_gradient", json_of(p.largest_gradient)}, {"lr", json_of(p.lr)}, {"beta", json_of(p.beta)},
                          {"average_weight", json_of(p.average_weight)}});
  return line.dump();
}

std::string csv_header() {
  return "step,parameter,gradient_norm,update_norm,parameter_norm,ratio,largest_gradient,lr,beta,average_weight\n";
}

std::string to_csv(long step, const step_report& report) {
  std::string rows;
  for (const parameter_report& p : report.parameters)
    rows += in_words(step, ",", cell(p.name), ",", p.gradient_norm, ",", p.update_norm, ",", p.parameter_norm, ",", p.ratio(), ",",
                     p.largest_gradient, ",", p.lr, ",", cell(p.beta), ",", cell(p.average_weight), "\n");
  return rows;
}

}  // namespace thalweg
