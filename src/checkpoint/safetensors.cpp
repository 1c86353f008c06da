#include "safetensors.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include <nlohmann/json.hpp>

#include <thalweg/core/error.hpp>

namespace thalweg::detail::safetensors {

namespace {

using nlohmann::json;

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw error("load", "Expected a safetensors file. Received one ", parts..., ".");
}

constexpr std::string_view metadata_name = "__metadata__";

/// Fills a header from the parser's events. Refuses every event that a header may not contain, at any depth, and equal
/// keys.
class header_reader final : public nlohmann::json_sax<json> {
  enum class place { outside, header, metadata, tensor, numbers };

  header& to_;
  place at_ = place::outside;
  std::string name_, key_;  ///< the latest of the header, and of the metadata or the tensor
  bool has_metadata_ = false;
  tensor_entry tensor_;
  std::vector<std::size_t> offsets_;
  std::vector<std::string> keys_;  ///< of the tensor

  bool go(place to) {
    at_ = to;
    return true;
  }
  [[noreturn]] void refuse_tensor() const {
    refuse("in which '", name_, "' is not of a dtype, a shape and two data_offsets");
  }
  [[noreturn]] void refuse_twice(const std::string& key) const { refuse("whose header has '", key, "' twice"); }
  bool refuse_value() const {
    if (at_ == place::outside) refuse("whose header is no JSON object");
    if (at_ == place::header && name_ == metadata_name) refuse("whose __metadata__ is no object");
    if (at_ == place::metadata) refuse("whose metadata '", key_, "' is no text");
    if (at_ == place::numbers) refuse("with shapes or offsets of '", name_, "' that are no natural numbers");
    refuse_tensor();
  }

public:
  explicit header_reader(header& to) : to_(to) {}

  bool start_object(std::size_t) override {
    if (at_ == place::outside) return go(place::header);
    if (at_ != place::header) return refuse_value();
    return go(name_ == metadata_name ? place::metadata : place::tensor);
  }
  bool key(std::string& key) override {
    if (at_ == place::header) {
      name_ = std::move(key);
      const bool twice = name_ == metadata_name ? std::exchange(has_metadata_, true) : to_.tensors.contains(name_);
      if (twice) refuse_twice(name_);
    } else {
      key_ = std::move(key);
      if (at_ == place::metadata ? to_.metadata.contains(key_) : std::ranges::find(keys_, key_) != keys_.end())
        refuse_twice(key_);
      if (at_ == place::tensor) keys_.push_back(key_);
    }
    return true;
  }
  bool end_object() override {
    if (at_ == place::tensor) {
      if (keys_.size() != 3 || offsets_.size() != 2) refuse_tensor();  // of the known keys none came twice
      tensor_.begin = offsets_[0];
      tensor_.end = offsets_[1];
      to_.tensors.emplace_hint(to_.tensors.end(), std::move(name_), std::exchange(tensor_, {}));
      offsets_.clear();
      keys_.clear();
    }
    return go(at_ == place::header ? place::outside : place::header);
  }
  bool start_array(std::size_t) override {
    return at_ == place::tensor && (key_ == "shape" || key_ == "data_offsets") ? go(place::numbers) : refuse_value();
  }
  bool end_array() override { return go(place::tensor); }
  bool string(std::string& text) override {
    if (at_ == place::metadata) to_.metadata.emplace_hint(to_.metadata.end(), std::move(key_), std::move(text));
    else if (at_ == place::tensor && key_ == "dtype") tensor_.dtype = std::move(text);
    else return refuse_value();
    return true;
  }
  bool number_unsigned(std::uint64_t number) override {
    if (at_ != place::numbers) return refuse_value();
    (key_ == "shape" ? tensor_.shape : offsets_).push_back(number);
    return true;
  }
  bool null() override { return refuse_value(); }
  bool boolean(bool) override { return refuse_value(); }
  bool number_integer(std::int64_t) override { return refuse_value(); }
  bool number_float(double, const std::string&) override { return refuse_value(); }
  bool binary(json::binary_t&) override { return refuse_value(); }
  bool parse_error(std::size_t, const std::string&, const json::exception& e) override {
    refuse("whose header is no JSON: ", e.what());
  }
};

void check_offsets(const header& h, std::size_t array_bytes) {
  std::vector<const std::pair<const std::string, tensor_entry>*> by_begin;
  for (const auto& t : h.tensors) by_begin.push_back(&t);
  std::ranges::sort(by_begin, {}, [](const auto* t) { return std::pair(t->second.begin, t->second.end); });
  std::size_t end = 0;
  for (const auto* t : by_begin) {
    if (t->second.begin != end || t->second.end < end)
      refuse("in which '", t->first, "' lies at bytes ", t->second.begin, " to ", t->second.end, ", not from ", end,
             " on");
    end = t->second.end;
  }
  if (end != array_bytes) refuse("whose header speaks of ", end, " bytes of arrays, with ", array_bytes, " behind it");
}

}  // namespace

std::string to_bytes(const header& h) {
  const auto quoted = [](const std::string& said) { return json(said).dump(); };
  std::string text = "{\"__metadata__\":{";
  try {
    for (const auto& [key, said] : h.metadata)
      text += in_words(text.ends_with('{') ? "" : ",", quoted(key), ":", quoted(said));
    text += '}';
    for (const auto& [name, t] : h.tensors) {
      std::string shape;
      for (const std::size_t side : t.shape) shape += in_words(shape.empty() ? "" : ",", side);
      text += in_words(",", quoted(name), ":{\"data_offsets\":[", t.begin, ",", t.end, "],\"dtype\":\"", t.dtype,
                       "\",\"shape\":[", shape, "]}");
    }
    text += '}';
  } catch (const json::exception&) {
    throw error("save", "Expected names in UTF-8. Received other bytes.");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > longest_header)
    throw error("save", "Expected names and shapes of at most ", longest_header, " bytes. Received ", text.size(), ".");
  std::string bytes;
  for (std::size_t i = 0; i < length_bytes; ++i) bytes += static_cast<char>(text.size() >> (8 * i) & 0xff);
  return bytes + text;
}

header parse(std::string_view text, std::size_t array_bytes) {
  if (const std::size_t at = text.find('\0'); at != text.npos)  // where the parser would stop reading
    throw error("load", "Expected a header without zero bytes. Received one at byte ", at, ".");
  header h;
  header_reader reader(h);
  json::sax_parse(text, &reader);
  check_offsets(h, array_bytes);
  return h;
}

placed_header read_header(const readable_bytes& file) {
  const auto refuse_file = [&](const auto&... more) {
    throw error("load", "Expected a safetensors file. Received '", file.name, "' of ", file.size, " bytes", more..., ".");
  };
  if (file.size < length_bytes) refuse_file();
  std::uint64_t length = 0;
  file.read(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > std::min<std::uint64_t>(file.size - length_bytes, longest_header))
    refuse_file(", with a header of ", length);
  std::string text(length, ' ');
  file.read(length_bytes, std::as_writable_bytes(std::span(text)));
  const std::size_t begin = length_bytes + length;
  return {parse(text, file.size - begin), begin};
}

}  // namespace thalweg::detail::safetensors
