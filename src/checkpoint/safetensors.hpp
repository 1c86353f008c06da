// The header of a safetensors file: eight bytes of its length, little-endian, then JSON, then the arrays one behind
// another. https://github.com/huggingface/safetensors
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/core/progress.hpp>

namespace thalweg::detail::safetensors {

struct tensor_entry {
  std::string dtype;  ///< "F32", "F64", …
  std::vector<std::size_t> shape;
  std::size_t begin = 0, end = 0;  ///< bytes behind the header
};

struct header {
  std::map<std::string, std::string> metadata;
  std::map<std::string, tensor_entry> tensors;
};

constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t longest_header = 100'000'000;  ///< what Python's `safetensors` takes

/// The length and the JSON, padded so that the arrays begin at a multiple of eight bytes.
std::string to_bytes(const header& h);

/// The JSON, without its length. Throws where it is no such header; that the arrays lie one behind another and fill
/// `array_bytes` is checked, their types and shapes are not.
header parse(std::string_view json, std::size_t array_bytes);

/// The header at the beginning of a file, and where the arrays begin.
struct placed_header {
  header what;
  std::size_t arrays_begin;
};
placed_header read_header(const readable_bytes& file);

}  // namespace thalweg::detail::safetensors
