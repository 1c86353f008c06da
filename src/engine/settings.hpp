// The numbers that the user may change between two steps: the options, and the fields of transforms.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/core/options.hpp>
#include <thalweg/core/program.hpp>

namespace thalweg::detail {

/// What a setting is called: `lr`, `scale_by_adam.beta2`, or `scale_by_adam#2.beta2` for the second of that name.
template <class T>
class settings {
  options options_;
  std::map<std::string, double> changed_;             ///< by name, but for lr
  std::vector<std::vector<field_value_now>> fields_;  ///< by transform

public:
  settings(const options& o, std::size_t transforms) : options_(o), fields_(transforms) {}

  [[nodiscard]] const options& values() const { return options_; }
  [[nodiscard]] std::span<const field_value_now> of(std::size_t transform) const { return fields_[transform]; }
  [[nodiscard]] const std::map<std::string, double>& changed() const { return changed_; }

  /// Throws where there is no such setting, or the value is out of its range; `where` asks.
  void set(std::string_view where, std::span<const any_transform<T>> all, std::string_view name, double value);
  [[nodiscard]] double get(std::span<const any_transform<T>> all, std::string_view name) const;
};

}  // namespace thalweg::detail
