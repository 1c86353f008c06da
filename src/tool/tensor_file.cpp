#include "tensor_file.hpp"

#include <cstring>
#include <span>
#include <utility>

#include <thalweg/core/error.hpp>

#include "../checkpoint/element_type.hpp"

namespace thalweg::tool {

tensor_file::tensor_file(detail::readable_bytes bytes) : bytes_(std::move(bytes)) {
  auto [header, begin] = detail::safetensors::read_header(bytes_);
  header_ = std::move(header);
  begin_ = begin;
  for (const auto& [name, t] : header_.tensors) {
    const auto type = detail::number_type_of_dtype(t.dtype);
    const std::size_t size = type ? detail::bytes_of(*type) : 0;
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

std::optional<std::vector<double>> tensor_file::numbers(const std::string& name) const {
  const tensor_entry& t = header_.tensors.at(name);
  const auto type = detail::number_type_of_dtype(t.dtype);
  if (!type) return {};
  const std::size_t n = (t.end - t.begin) / detail::bytes_of(*type);
  std::vector<std::byte> scales;
  if (*type == number_type::eight_bits) {
    const auto found = header_.tensors.find(detail::name_of_scales(name));
    if (!is_checkpoint() || found == header_.tensors.end()) return {};
    scales = bytes(found->second);
    if (scales.size() != detail::blocks_of(n) * sizeof(float))
      throw error("load", "Expected ", detail::blocks_of(n), " scales of ", in_quotes(name), " in '", bytes_.name, "'. Received ",
                  scales.size(), " bytes.");
  }
  return detail::numbers_of(*type, bytes(t).data(), scales, n);
}

detail::readable_bytes bytes_in_memory(std::string name, const std::string& bytes) {
  return {std::move(name), bytes.size(), [&bytes](std::size_t from, std::span<std::byte> to) {
            std::memcpy(to.data(), bytes.data() + from, to.size());
          }};
}

}  // namespace thalweg::tool
