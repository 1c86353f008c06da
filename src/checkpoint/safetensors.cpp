#include "safetensors.hpp"

#include <algorithm>
#include <unordered_set>
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

/// What a parser would build first and ask about later: depth, and which of two equal keys counts. (A parser's callback
/// would take time in the square of the entries.)
class shape_check final : public nlohmann::json_sax<json> {
  std::vector<std::unordered_set<std::string>> keys_;
  std::size_t depth_ = 0;

  bool enter() {
    if (++depth_ > 4) refuse("whose header is nested too deep");
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }

public:
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return enter();
  }
  bool end_object() override {
    keys_.pop_back();
    return leave();
  }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override { return leave(); }
  bool key(std::string& name) override {
    if (!keys_.back().insert(name).second) refuse("whose header has '", name, "' twice");
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& e) override {
    refuse("whose header is no JSON: ", e.what());
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(json::number_integer_t) override { return true; }
  bool number_unsigned(json::number_unsigned_t) override { return true; }
  bool number_float(json::number_float_t, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(json::binary_t&) override { return true; }
};

json parse_json(std::string_view text) {
  shape_check check;
  json::sax_parse(text, &check);
  return json::parse(text);
}

std::size_t to_size(const json& number, const std::string& name) {
  if (!number.is_number_unsigned()) refuse("with shapes or offsets of '", name, "' that are no natural numbers");
  return number.get<std::size_t>();
}

tensor_entry to_entry(const json& given, const std::string& name) {
  const auto is = [&](const char* key, json::value_t type) { return given.contains(key) && given[key].type() == type; };
  if (!given.is_object() || given.size() != 3 || !is("dtype", json::value_t::string) ||
      !is("shape", json::value_t::array) || !is("data_offsets", json::value_t::array) ||
      given["data_offsets"].size() != 2)
    refuse("in which '", name, "' is not of a dtype, a shape and two data_offsets");
  tensor_entry entry{.dtype = given["dtype"],
                     .shape = {},
                     .begin = to_size(given["data_offsets"][0], name),
                     .end = to_size(given["data_offsets"][1], name)};
  for (const auto& d : given["shape"]) entry.shape.push_back(to_size(d, name));
  return entry;
}

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
  json object;
  object["__metadata__"] = h.metadata;
  for (const auto& [name, t] : h.tensors)
    object[name] = {{"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {t.begin, t.end}}};
  std::string text;
  try {
    text = object.dump();
  } catch (const json::exception&) {
    throw error("save", "Expected names in UTF-8. Received some that are not.");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > longest_header)
    throw error("save", "Expected names and shapes of at most ", longest_header, " bytes. Received ", text.size(), ".");
  std::string bytes;
  for (std::size_t i = 0; i < length_bytes; ++i) bytes += static_cast<char>(text.size() >> (8 * i) & 0xff);
  return bytes + text;
}

header parse(std::string_view text, std::size_t array_bytes) {
  const json object = parse_json(text);
  if (!object.is_object()) refuse("whose header is no JSON object");
  header h;
  for (const auto& [name, value] : object.items()) {
    if (name != "__metadata__") {
      h.tensors.emplace(name, to_entry(value, name));
      continue;
    }
    if (!value.is_object()) refuse("whose __metadata__ is no object");
    for (const auto& [key, said] : value.items()) {
      if (!said.is_string()) refuse("whose metadata '", key, "' is no text");
      h.metadata.emplace(key, said.get<std::string>());
    }
  }
  check_offsets(h, array_bytes);
  return h;
}

}  // namespace thalweg::detail::safetensors
