// A safetensors file, as the tool reads it: its header at once, its arrays when they are asked for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <thalweg/core/progress.hpp>

#include "../checkpoint/safetensors.hpp"

namespace thalweg::tool {

using detail::safetensors::tensor_entry;

class tensor_file {
  detail::readable_bytes bytes_;
  detail::safetensors::header header_;
  std::size_t begin_ = 0;

public:
  explicit tensor_file(detail::readable_bytes bytes);
  explicit tensor_file(const std::string& path) : tensor_file(detail::bytes_of_file(path)) {}

  [[nodiscard]] const std::string& name() const { return bytes_.name; }
  [[nodiscard]] const detail::safetensors::header& header() const { return header_; }
  /// An entry of a checkpoint of thalweg, if it has one.
  [[nodiscard]] std::optional<std::string> metadata(const std::string& key) const;
  [[nodiscard]] bool is_checkpoint() const { return header_.metadata.contains("thalweg"); }

  [[nodiscard]] std::vector<std::byte> bytes(const tensor_entry& t) const;
  /// Nothing of integers. Those of eight bits are numbers beside their scales, in a checkpoint.
  [[nodiscard]] std::optional<std::vector<double>> numbers(const std::string& name) const;
};

/// Bytes in memory under a name.
detail::readable_bytes bytes_in_memory(std::string name, const std::string& bytes);

}  // namespace thalweg::tool
