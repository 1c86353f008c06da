#include "tensor_file.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include <thalweg/core/error.hpp>

namespace thalweg::tool {

namespace {

template <class T>
std::vector<double> widened(std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return {values.begin(), values.end()};
}

}  // namespace

tensor_file::tensor_file(detail::readable_bytes bytes) : bytes_(std::move(bytes)) {
  auto [header, begin] = detail::safetensors::read_header(bytes_);
  header_ = std::move(header);
  begin_ = begin;
  for (const auto& [name, t] : header_.tensors) {
    const std::size_t size = t.dtype == "F32" ? 4 : t.dtype == "F64" ? 8 : 0;
    if (size && t.end - t.begin != size * element_count(t.shape))
      throw error("load", "Expected ", in_quotes(name), " with shape ", std::span(t.shape), " of ", t.dtype, " in '",
                  bytes_.name, "'. Received ", t.end - t.begin, " bytes.");
  }
}

std::optional<std::string> tensor_file::metadata(const std::string& key) const {
  const auto found = header_.metadata.find(key);
  return found == header_.metadata.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::byte> tensor_file::bytes(const tensor_entry& t) const {
  std::vector<std::byte> all(t.end - t.begin);
  bytes_.read(begin_ + t.begin, all);
  return all;
}

std::optional<std::vector<double>> tensor_file::numbers(const tensor_entry& t) const {
  if (t.dtype == "F32") return widened<float>(bytes(t));
  if (t.dtype == "F64") return widened<double>(bytes(t));
  return {};
}

detail::readable_bytes bytes_in_memory(std::string name, const std::string& bytes) {
  return {std::move(name), bytes.size(), [&bytes](std::size_t from, std::span<std::byte> to) {
            std::memcpy(to.data(), bytes.data() + from, to.size());
          }};
}

}  // namespace thalweg::tool
