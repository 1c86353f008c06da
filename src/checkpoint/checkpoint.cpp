// The content of a checkpoint, how it is written, and all checks before it is read.
#include <thalweg/core/progress.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "../engine/begin_rest.hpp"
#include "checksum.hpp"
#include "element_type.hpp"
#include "file.hpp"
#include "held_arrays.hpp"
#include "safetensors.hpp"

namespace thalweg::detail {

namespace {

static_assert(std::endian::native == std::endian::little, "thalweg: safetensors files are little-endian");

/// Versions of the format. Files of the first have checksums of the parameters only.
enum class version { first, current };
constexpr std::string_view first_version = "1", current_version = "2";
constexpr range counts = from(0).below(0x1p53);  // a double counts them
constexpr std::string_view changed_prefix = "set.";
std::string route_key(std::size_t route, std::string_view what) { return in_words("route ", route, ".", what); }
std::string parameter_key(const parameter_info& p, std::string_view what) { return in_words(p.name, "/", what); }
std::string checksum_key(const std::string& array) { return in_words("checksum of ", array); }

using metadata_entries = std::map<std::string, std::string>;
const std::string checksum_of_metadata(checksum_of_entries);

/// An array as it lies in memory.
struct named_array {
  std::string name;
  std::vector<std::size_t> shape;
  storage_order order;
  void* data;
  element_type element;
  std::size_t parameter = 0;     ///< the parameter that it belongs to
  const stored_array* numbers = nullptr;  ///< the array whose data it is; null for a rest and for y
  std::string rest_of{};            ///< the name of the array whose rest it is

  [[nodiscard]] std::size_t size() const { return element_count(shape); }
  [[nodiscard]] std::size_t bytes() const { return size() * element.bytes; }
  [[nodiscard]] bool transposed() const { return order == storage_order::column_major && shape.size() == 2; }
};

// f(place in memory, number in row-major order) for each element.
template <class F>
void for_each_element(const named_array& a, F f) {
  auto* const bytes = static_cast<std::byte*>(a.data);
  std::size_t number = 0;
  for (std::size_t row = 0; row < a.shape[0]; ++row)
    for (std::size_t col = 0; col < a.shape[1]; ++col) f(bytes + (row + col * a.shape[0]) * a.element.bytes, number++);
}

std::span<const std::byte> in_row_major(const named_array& a, std::vector<std::byte>& room) {
  if (!a.transposed()) return {static_cast<const std::byte*>(a.data), a.bytes()};
  room.resize(a.bytes());
  for_each_element(a, [&](const std::byte* place, std::size_t number) {
    std::memcpy(room.data() + number * a.element.bytes, place, a.element.bytes);
  });
  return room;
}

void from_row_major(const std::byte* from, const named_array& a) {
  if (a.bytes() == 0) return;  // memcpy takes no null
  if (!a.transposed()) std::memcpy(a.data, from, a.bytes());
  else
    for_each_element(a, [&](std::byte* place, std::size_t number) {
      std::memcpy(place, from + number * a.element.bytes, a.element.bytes);
    });
}

std::string checksum_of(std::span<const std::byte> values, element_type element, version as = version::current) {
  if (as == version::current) return checksum(values);
  const auto first = [&](auto number) {
    std::vector<decltype(number)> numbers(values.size() / sizeof number);
    std::memcpy(numbers.data(), values.data(), values.size());
    return checksum_of_version_1(std::span<const decltype(number)>(numbers));
  };
  return element.bytes == sizeof(double) ? first(double()) : first(float());
}

/// How parameters of 16 bits are kept. Without such parameters the weights are exact.
template <class T>
weights_in rounding_of(const storage<T>& store, const progress& now) {
  return store.has_sixteen_bit_parameters() ? now.settings.weights : weights_in::exact;
}

[[noreturn]] void refuse_saved_at_x() {
  throw error("load", "Expected a checkpoint that was saved at y, because its numbers have another type. "
                      "Received one saved at x. Save it again after the evaluation point has ended.");
}

/// The array of a parameter, at y or at x.
template <class T>
named_array parameter_at(const bound_parameter<T>& p, const void* data) {
  return {p.info.name, p.info.shape, p.info.order, const_cast<void*>(data), element_of(p.values.type)};
}

/// The arrays of a checkpoint, in the order in which they are written. While an evaluation point is active, y is in `held_back`.
template <class T>
std::vector<named_array> arrays_of(const storage<T>& store, bool with_y, const char* where) {
  std::vector<named_array> all;
  for (std::size_t i = 0; i < store.parameters.size(); ++i) {
    const auto& p = store.parameters[i];
    for (std::size_t s = 0; s < p.arrays.size(); ++s) {
      const stored_array& numbers = p.arrays[s];
      named_array a{parameter_key(p.info, p.state_names[s]), p.state_shapes[s], p.state_orders[s], numbers.data,
                    element_of(numbers.type), i, &numbers};
      all.push_back(a);
      if (numbers.type == number_type::eight_bits)
        all.push_back({name_of_scales(a.name), {blocks_of(a.size())}, storage_order::row_major, numbers.rest,
                       element_of_rest(numbers.type), i, nullptr, a.name});
    }
    if (p.values.rest)
      all.push_back({parameter_key(p.info, name_of_rest(p.values.type)), p.info.shape, p.info.order, p.values.rest,
                     element_of_rest(p.values.type), i, nullptr, p.info.name});
    if (!with_y || !p.averaged) continue;
    named_array y = parameter_at(p, store.at_evaluation_point ? store.held_back[i].data() : p.values.data);
    y.name = parameter_key(p.info, "y");
    y.parameter = i;
    all.push_back(std::move(y));
  }
  std::vector<std::string_view> names;
  for (const auto& a : all) names.push_back(a.name);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    throw error(where, "Expected parameter names that give each state a different name. Received two of '", *twice, "'.");
  return all;
}

template <class Number>
Number number_at(const std::byte* values, std::size_t i) {  // which need not be aligned
  Number number;
  std::memcpy(&number, values + i * sizeof number, sizeof number);
  return number;
}

template <class Number>
void check_finite_of(const char* where, const std::string& name, std::span<const std::byte> values) {
  const std::size_t n = values.size() / sizeof(Number);
  const auto magnitude = [&](std::size_t i) {
    if constexpr (std::is_floating_point_v<Number>) return std::abs(number_at<Number>(values.data(), i));
    else return std::abs(static_cast<float>(number_at<Number>(values.data(), i)));
  };
  using computed = decltype(magnitude(0));
  computed not_finite = 0;  // of the values' type: so the loop is vectorised
  for (std::size_t i = 0; i < n; ++i)
    not_finite = magnitude(i) <= std::numeric_limits<computed>::max() ? not_finite : computed(1);
  for (std::size_t i = 0; not_finite != 0 && i < n; ++i)
    if (!(magnitude(i) <= std::numeric_limits<computed>::max()))
      throw error(where, "Expected finite numbers in '", name, "'. Received ",
                  static_cast<double>(static_cast<computed>(number_at<Number>(values.data(), i))), ".");
}

void check_finite(const char* where, const std::string& name, std::string_view dtype, std::span<const std::byte> values) {
  if (dtype == "F32") check_finite_of<float>(where, name, values);
  else if (dtype == "F64") check_finite_of<double>(where, name, values);
  else if (dtype == "BF16") check_finite_of<bfloat16>(where, name, values);
  else if (dtype == "F16") check_finite_of<float16>(where, name, values);
}

// Gives each clock a route's number, in the order of the parameters.
template <class T>
std::map<std::size_t, std::size_t> routes_in_use(const storage<T>& store) {
  std::map<std::size_t, std::size_t> number_of;
  for (const auto& p : store.parameters) number_of.emplace(p.clock, number_of.size());
  return number_of;
}

/// f(name, number, range) for each of the options' numbers.
template <class Options, class F>
void for_each_option(Options& settings, F f) {
  for_each_field<options>([&](const auto& field) { f(field.name, settings.*field.member, field.allowed); });
}

[[noreturn]] void refuse_damaged(std::string_view what) {
  throw error("load", "Expected '", what, "' as it was saved. Received it damaged: its checksum differs.");
}

/// The metadata of a file. Entries that are taken are removed. An entry that is left at the end is an error.
class metadata_reader {
  metadata_entries left_;
  std::vector<metadata_entries::node_type> taken_;

public:
  explicit metadata_reader(metadata_entries all) : left_(std::move(all)) {}

  [[nodiscard]] std::optional<std::string_view> take_if_there(const std::string& key) {
    const auto found = left_.find(key);
    if (found == left_.end()) return {};
    taken_.push_back(left_.extract(found));
    return taken_.back().mapped();
  }
  [[nodiscard]] std::string_view take(const std::string& key) {
    const auto text = take_if_there(key);
    if (!text) throw error("load", "Expected '", key, "' in the metadata. Received none.");
    return *text;
  }
  /// The keys that begin with this text, except keys of parameters, which contain a slash.
  [[nodiscard]] std::vector<std::string> keys_with(std::string_view prefix) const {
    std::vector<std::string> all;
    for (auto at = left_.lower_bound(std::string(prefix)); at != left_.end() && at->first.starts_with(prefix); ++at)
      if (at->first.find('/') == std::string::npos) all.push_back(at->first);
    return all;
  }
  [[nodiscard]] bool has(const std::string& key) const { return left_.contains(key); }
  template <class Number>
  [[nodiscard]] Number take_number(const std::string& key, const range& allowed) {
    const std::string_view text = take(key);
    Number number{};
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc() || end != text.data() + text.size())
      throw error("load", "Expected a number as '", key, "'. Received '", text, "'.");
    check_in_range("load", key, static_cast<double>(number), allowed);
    return number;
  }
  /// The names of parameters that have not been read.
  [[nodiscard]] std::vector<std::string> parameters_left() const {
    constexpr std::string_view end = "/route";
    std::vector<std::string> all;
    for (const auto& [key, text] : left_)
      if (key.ends_with(end)) all.push_back(key.substr(0, key.size() - end.size()));
    return all;
  }
  void check_empty() const {
    if (!left_.empty())
      throw error("load", "Expected only metadata that this optimizer reads. Received '", left_.begin()->first, "'.");
  }
};

version take_version(metadata_reader& metadata, const std::string& file) {
  const auto said = metadata.take_if_there("thalweg");
  if (said == first_version) return version::first;
  if (said == current_version) return version::current;
  throw error("load", "Expected a checkpoint of thalweg, version ", first_version, " or ", current_version,
              ". Received '", file, "', which has ", said ? in_words("version '", *said, "'") : "no version of thalweg", ".");
}

/// What differs between the settings of the checkpoint and those of the optimizer, as `load_report::changed` says it.
class setting_differences {
  setting_match match_;
  std::vector<std::string> all_;

public:
  explicit setting_differences(setting_match match) : match_(match) {}

  [[nodiscard]] bool kept() const { return match_ == setting_match::keep; }
  [[nodiscard]] std::vector<std::string> all() && { return std::move(all_); }
  void note(std::string_view name, const auto& there, const auto& here) {
    all_.push_back(in_words(name, ": ", there, " there, ", here, " here"));
  }
};

void check_same_chain(std::string_view here, std::string_view saved, setting_differences& differences) {
  if (here == saved) return;
  if (differences.kept()) return differences.note("chain", saved, here);
  const auto at = static_cast<std::size_t>(
      std::mismatch(here.begin(), here.end(), saved.begin(), saved.end()).first - here.begin());
  const auto around = [&](std::string_view text) {
    const std::size_t from = at < 20 ? 0 : at - 20;
    return in_words(from ? "…" : "", text.substr(from, 40), from + 40 < text.size() ? "…" : "");
  };
  throw error("load", "Expected a checkpoint of this chain:\n  ", here, "\nReceived one of another:\n  ", saved,
              "\nThey differ from character ", at + 1, " on: '", around(here), "' here, '", around(saved), "' in the checkpoint.");
}

void read_options(metadata_reader& metadata, options& settings, setting_differences& differences) {
  for_each_option(settings, [&]<class Number>(std::string_view name, Number& number, const range& allowed) {
    const auto saved = metadata.take_number<Number>(in_words("options.", name), allowed);
    if (saved == number) return;
    if (differences.kept()) return differences.note(name, saved, number);
    if (name != "lr")
      throw error("load", "Expected a checkpoint of ", name, "=", number, ", as this optimizer has. Received one of ",
                  saved, ". Make the optimizer with the options of the checkpoint; only lr is read from it.");
    number = saved;
  });
}

/// What `set` had changed.
std::map<std::string, double> read_changed(metadata_reader& metadata, std::map<std::string, double> here,
                                           setting_differences& differences) {
  std::map<std::string, double> changed;
  for (const std::string& key : metadata.keys_with(changed_prefix)) {
    const std::string name = key.substr(changed_prefix.size());
    const auto value = metadata.take_number<double>(key, finite_number);
    if (!differences.kept()) {
      changed[name] = value;
      continue;
    }
    const auto set_here = here.extract(name);
    if (set_here.empty()) differences.note(name, in_words("set to ", value), "not set");
    else if (set_here.mapped() != value) differences.note(name, value, set_here.mapped());
  }
  if (differences.kept())
    for (const auto& only_here : here) differences.note(only_here.first, "not set", in_words("set to ", only_here.second));
  return changed;
}

bool has_shape(const safetensors::tensor_entry& t, const named_array& a) { return std::ranges::equal(t.shape, a.shape); }
bool fits(const safetensors::tensor_entry& t, const named_array& a) {  // the shape is compared, never multiplied
  return t.dtype == a.element.dtype && has_shape(t, a) && t.end - t.begin == a.bytes();
}

/// An array of a file as numbers of another type.
bool converts(const safetensors::tensor_entry& t, const named_array& a) {
  const auto there = number_type_of_dtype(t.dtype);
  return there && a.numbers && has_shape(t, a) && t.end - t.begin == a.size() * bytes_of(*there);
}

/// The arrays to read. `is_promised`: whether the metadata name an array. `starts_anew` becomes true for a parameter whose
/// arrays the checkpoint lacks.
std::vector<named_array> arrays_to_read(const safetensors::header& header, std::vector<named_array> arrays,
                                        const load_policy& policy, const std::function<bool(const std::string&)>& is_promised,
                                        std::vector<bool>& starts_anew) {
  const bool partial = policy.parameters == parameter_match::partial, keeps = policy.settings == setting_match::keep;
  std::vector<named_array> read;
  for (auto& a : arrays) {
    const auto found = header.tensors.find(a.name);
    const bool there = found != header.tensors.end();
    if ((there && fits(found->second, a)) || (keeps && there && converts(found->second, a))) {
      read.push_back(std::move(a));
      continue;
    }
    if (there && !a.numbers && a.rest_of.empty() && found->second.dtype != a.element.dtype)
      refuse_saved_at_x();
    if (keeps && !a.rest_of.empty() && !is_promised(a.name)) continue;  // computed from the numbers
    if (partial) {
      starts_anew[a.parameter] = true;
      continue;
    }
    if (!there) throw error("load", "Expected '", a.name, "' in the checkpoint. Received none.");
    const auto& t = found->second;
    throw error("load", "Expected '", a.name, "' with shape ", std::span<const std::size_t>(a.shape), " of ", a.element.dtype,
                ". Received shape ", std::span(t.shape), " of ", t.dtype, " in ", t.end - t.begin, " bytes.",
                converts(t, a) ? " With setting_match::keep its numbers are converted." : "");
  }
  std::erase_if(read, [&](const auto& a) { return starts_anew[a.parameter]; });
  if (partial || keeps || header.tensors.size() == read.size()) return read;
  for (const auto& [name, t] : header.tensors)
    if (std::ranges::find(read, name, &named_array::name) == read.end())
      throw error("load", "Expected only states that this optimizer has. Received '", name, "'.");
  return read;
}

/// Numbers of another type, ready to be written: in the order of memory, in the type that `detail::write` takes or in double.
struct converted_numbers {
  std::vector<double> wide;
  std::vector<float> narrow;

  converted_numbers(const std::vector<double>& numbers, const named_array& to) : wide(numbers.size()) {
    named_array ordered = to;
    ordered.data = wide.data();
    ordered.element = element_of(number_type::float64);
    from_row_major(reinterpret_cast<const std::byte*>(numbers.data()), ordered);
    if (to.numbers->type != number_type::float64) narrow.assign(wide.begin(), wide.end());
  }
  void write_to(const named_array& a) const {
    if (narrow.empty()) std::memcpy(a.data, wide.data(), a.bytes());
    else detail::write(narrow.data(), *a.numbers, 0, narrow.size());
  }
};

/// The file numbers routes in its own way. Parameters of one route there take one path here, if the settings are the same.
/// Returns the routes, and by parameter which it takes.
template <class T>
std::pair<std::vector<progress::route>, std::vector<std::optional<std::size_t>>> read_routes(
    metadata_reader& metadata, const storage<T>& store, const progress& now, const std::vector<bool>& starts_anew,
    setting_differences& differences) {
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> number_of;
  std::map<std::size_t, std::size_t> path_of;
  std::vector<progress::route> routes;
  std::vector<std::optional<std::size_t>> of_parameter(store.parameters.size());
  std::vector<std::pair<std::size_t, std::size_t>> read;  // number there, number here
  for (std::size_t i = 0; i < store.parameters.size(); ++i) {
    const auto& p = store.parameters[i];
    if (starts_anew[i]) continue;
    for_each_field<parameter_info>([&](const auto& f) {
      const std::string key = parameter_key(p.info, f.name);
      const double saved = metadata.has(key) ? metadata.take_number<double>(key, f.allowed) : 1;
      const double here = p.info.*f.member;
      if (saved == here) return;
      if (differences.kept()) return differences.note(in_words(f.name, " of ", in_quotes(p.info.name)), saved, here);
      throw error("load", "Expected a checkpoint of ", f.name, "=", here, " of '", p.info.name,
                  "', as this optimizer has. Received one of ", saved, ".");
    });
    const auto route = metadata.take_number<std::size_t>(parameter_key(p.info, "route"), non_negative);
    if (path_of.emplace(route, p.path).first->second != p.path && !differences.kept())
      throw error("load", "Expected '", p.info.name, "' on the same route as in this optimizer. Received it on another route.");
    const auto [found, is_new] = number_of.emplace(std::pair(route, p.path), routes.size());
    of_parameter[i] = found->second;
    if (!is_new) continue;
    read.push_back({route, routes.size()});
    routes.push_back(now.routes[p.clock]);
  }
  std::map<std::string, double> numbers;  // two routes here may be one there
  const auto number = [&](std::size_t route, std::string_view name, const range& allowed, std::optional<double> otherwise) {
    const std::string key = route_key(route, name);
    if (const auto known = numbers.find(key); known != numbers.end()) return known->second;
    if (otherwise && !metadata.has(key)) return *otherwise;
    return numbers[key] = metadata.take_number<double>(key, allowed);
  };
  // Of the clocks of one path at most one has run in every step: two that have are two paths.
  std::map<std::size_t, int> full;
  std::set<std::size_t> seen;
  for (std::size_t i = 0; i < of_parameter.size(); ++i) {
    if (!of_parameter[i] || differences.kept()) continue;
    const auto& route = read[*of_parameter[i]];
    const bool in_every_step = !metadata.has(route_key(route.first, "steps"));
    if (in_every_step && seen.insert(route.second).second && ++full[store.parameters[i].path] > 1)
      throw error("load", "Expected '", store.parameters[i].info.name,
                  "' on the same route as in this optimizer. Received it on another route.");
  }
  for (const auto& there_here : read) {
    const std::size_t route = there_here.first;
    auto& r = routes[there_here.second];
    r.numbers.weights.sum = number(route, "weight_sum", non_negative, {});
    r.numbers.weights.largest_lr = number(route, "largest_lr", non_negative, 0.0);
    const auto steps = static_cast<double>(now.steps);
    r.numbers.steps = static_cast<long>(number(route, "steps", from(0).to(steps), steps));
    for (std::size_t s = 0; s < r.names.size(); ++s)
      r.numbers.scalars[s] = number(route, r.names[s], finite_number,
                                    differences.kept() ? std::optional(r.numbers.scalars[s]) : std::nullopt);
  }
  return {std::move(routes), std::move(of_parameter)};
}

/// Whether the parameters are those that the checkpoint goes with. Returns the checksum of y by the name of its array.
template <class T>
std::map<std::string, std::string_view> check_parameters(metadata_reader& metadata, const storage<T>& store,
                                                         const std::vector<bool>& starts_anew, bool at_x,
                                                         std::string_view numbers_there, setting_differences& differences,
                                                         version as, const held_arrays* held) {
  std::map<std::string, std::string_view> of_y;
  std::vector<std::byte> room;
  for (std::size_t i = 0; i < store.parameters.size(); ++i) {
    const auto& p = store.parameters[i];
    if (starts_anew[i]) continue;
    if (const auto there = metadata.take_if_there(parameter_key(p.info, "type")).value_or(numbers_there);
        there != element_of(p.values.type).dtype) {
      if (!differences.kept())
        throw error("load", "Expected a checkpoint of '", p.info.name, "' in ", element_of(p.values.type).dtype, ". Received one in ",
                    there, ". With setting_match::keep its states are converted.");
      differences.note(in_words("type of ", in_quotes(p.info.name)), there, element_of(p.values.type).dtype);
      for (const char* what : {"checksum", "checksum at x", "checksum at y"})
        static_cast<void>(metadata.take_if_there(parameter_key(p.info, what)));
      if (at_x && p.averaged)
        refuse_saved_at_x();
      continue;
    }
    const bool kept = differences.kept();
    const auto refuse = [&](std::string_view when) {
      throw error("load", "Expected '", p.info.name, "' as it was when the checkpoint was saved", when,
                  ". Received other values. Load the parameters that go with the checkpoint first.");
    };
    const bool is_away = held && !held->has_all_parameters && !held->is_here(i);
    const std::string here = is_away ? "" : checksum_of(in_row_major(parameter_at(p, p.values.data), room), element_of(p.values.type), as);
    const auto x = metadata.take_if_there(parameter_key(p.info, "checksum at x"));
    const auto at_y = metadata.take_if_there(parameter_key(p.info, "checksum at y"));
    if (is_away) {  // who has it compares
      static_cast<void>(metadata.take_if_there(parameter_key(p.info, "checksum")));
      if (at_x) of_y[parameter_key(p.info, "y")] = at_y.value_or("");
      continue;
    }
    if (!p.averaged) {  // with other settings its average may have ended
      if (at_y ? here == *at_y || (at_x && here == x) : here == metadata.take(parameter_key(p.info, "checksum"))) continue;
      refuse("");
    }
    const std::string_view y = at_y ? *at_y : metadata.take(parameter_key(p.info, kept ? "checksum" : "checksum at y"));
    if (at_x) of_y[parameter_key(p.info, "y")] = y;
    if (here == y || (at_x && here == x)) continue;
    if (here == x)
      throw error("load", "Expected '", p.info.name, "' at y, since the checkpoint was saved there. Received it at x, ",
                  "from which training cannot continue. Load the parameters as they were in training; or save both, the "
                  "parameters and the checkpoint, at an evaluation point.");
    refuse(at_x ? ", at x" : ", at y");
  }
  return of_y;
}

}  // namespace

template <class T>
void write_checkpoint(const write_bytes& write, const storage<T>& store, const progress& now,
                      const std::function<void(std::size_t i, T* out)>& average_into) {
  write_checkpoint(write, store, now, average_into, nullptr);
}

template <class T>
void write_checkpoint(const write_bytes& write, const storage<T>& store, const progress& now,
                      const std::function<void(std::size_t i, T* out)>& average_into, const held_arrays* held) {
  const bool at_x = store.at_evaluation_point;
  safetensors::header h;
  h.metadata = {{"thalweg", std::string(current_version)},
                {"chain", now.chain},
                {"mode", at_x ? "x" : "y"},
                {"step", to_text(now.steps)},
                {"calls", to_text(now.calls)}};
  if (now.losses.count && std::isfinite(now.losses.sum)) {  // others are taken by chains that do not read them
    h.metadata["losses"] = to_text(now.losses.count);
    h.metadata["sum of losses"] = to_text(now.losses.sum);
  }
  if (now.skipped) h.metadata["skipped"] = to_text(now.skipped);
  for_each_option(now.settings, [&](std::string_view name, auto number, const range&) {
    h.metadata[in_words("options.", name)] = to_text(number);
  });

  for (const auto& [name, value] : now.changed) h.metadata[in_words(changed_prefix, name)] = to_text(value);
  const auto number_of = routes_in_use(store);
  for (const auto& numbered : number_of) {
    const auto& route = now.routes[numbered.first];
    const auto put = [&](std::string_view name, double number) {
      const std::string key = route_key(numbered.second, name);
      check_finite("save", key, "F64", std::as_bytes(std::span(&number, 1)));
      h.metadata[key] = to_text(number);
    };
    put("weight_sum", route.numbers.weights.sum);
    if (route.numbers.weights.largest_lr > 0) put("largest_lr", route.numbers.weights.largest_lr);
    if (route.numbers.steps != now.steps) put("steps", static_cast<double>(route.numbers.steps));
    for (std::size_t s = 0; s < route.names.size(); ++s) put(route.names[s], route.numbers.scalars[s]);
  }

  std::vector<std::byte> room;
  std::vector<T> x;
  h.metadata["numbers"] = element_of(type_of<T>).dtype;
  if (now.settings.seed) h.metadata["seed"] = to_text(now.settings.seed);
  if (rounding_of(store, now) != weights_in::exact) h.metadata["weights"] = to_text(now.settings.weights);
  for (std::size_t i = 0; i < store.parameters.size(); ++i) {
    const auto& p = store.parameters[i];
    const element_type element = element_of(p.values.type);
    const auto put = [&](std::string_view what, const void* data) {
      const named_array values = parameter_at(p, data);
      const bool is_away = held && !held->has_all_parameters;
      const auto own = is_away && !held->is_here(i) ? std::span<const std::byte>() : in_row_major(values, room);
      h.metadata[parameter_key(p.info, what)] = checksum_of(is_away ? held->bring(i, values.bytes(), own) : own, element);
    };
    if (p.values.type != type_of<T>) h.metadata[parameter_key(p.info, "type")] = element.dtype;
    h.metadata[parameter_key(p.info, "route")] = to_text(number_of.at(p.clock));
    if (!now.gathered.empty() && !now.gathered[i]) h.metadata[parameter_key(p.info, "gathered")] = "0";
    for_each_field<parameter_info>([&](const auto& f) {
      if (p.info.*f.member != 1) h.metadata[parameter_key(p.info, f.name)] = to_text(p.info.*f.member);
    });
    if (!p.averaged) {
      put("checksum", p.values.data);
    } else if (at_x) {
      put("checksum at x", p.values.data);
      put("checksum at y", store.held_back[i].data());
    } else {
      put("checksum at y", p.values.data);
      x.resize(p.size);
      try {
        average_into(i, x.data());
        std::vector<std::byte> rounded;
        if constexpr (std::is_same_v<T, float>)
          if (!p.data) {
            rounded.resize(p.bytes());
            detail::write(x.data(), {rounded.data(), p.values.type}, 0, p.size);
          }
        put("checksum at x", rounded.empty() ? static_cast<const void*>(x.data()) : rounded.data());
      } catch (const error&) {}  // a chain that has lost its average
    }
  }

  const auto arrays = arrays_of(store, at_x, "save");
  const auto bytes_here = [&](const named_array& a) {
    return !held || held->is_here(a.parameter) ? in_row_major(a, room) : std::span<const std::byte>();
  };
  const auto bytes_of_all = [&](const named_array& a) {
    return held ? held->bring(a.parameter, a.bytes(), bytes_here(a)) : bytes_here(a);
  };
  if (held)
    held->together([&] {  // afterwards nothing is refused
      for (const auto& a : arrays) check_finite("save", a.name, a.element.dtype, bytes_here(a));
    });
  std::size_t end = 0;
  for (const auto& a : arrays) {
    const std::size_t begin = std::exchange(end, end + a.bytes());
    const auto values = bytes_of_all(a);
    if (!held) check_finite("save", a.name, a.element.dtype, values);
    h.metadata[checksum_key(a.name)] = checksum_of(values, a.element);
    h.tensors[a.name] = {std::string(a.element.dtype), a.shape, begin, end};
  }
  h.metadata.emplace(checksum_of_metadata, checksum(h.metadata));
  const std::string header = safetensors::to_bytes(h);

  std::size_t left = end;
  write(std::as_bytes(std::span(header)), left);
  for (const auto& a : arrays) {
    left -= a.bytes();
    write(bytes_of_all(a), left);
  }
}

template <class T>
loaded_progress read_checkpoint(const readable_bytes& bytes, storage<T>& store, progress now, const load_policy& policy,
                                const std::function<void(const loaded_progress&)>& before_writing) {
  return read_checkpoint(bytes, store, std::move(now), policy, before_writing, nullptr);
}

template <class T>
loaded_progress read_checkpoint(const readable_bytes& bytes, storage<T>& store, progress now, const load_policy& policy,
                                const std::function<void(const loaded_progress&)>& before_writing, const held_arrays* held) {
  if (store.at_evaluation_point)
    throw error("load", "Expected the parameters at y. Received them at x: end the evaluation point first.");
  auto placed = safetensors::read_header(bytes);
  safetensors::header& header = placed.what;
  const std::size_t arrays_begin = placed.arrays_begin;
  const bool partial = policy.parameters == parameter_match::partial;
  setting_differences differences(policy.settings);
  loaded_progress loaded;

  const std::string checksum_here = checksum(header.metadata);
  metadata_reader metadata(std::move(header.metadata));
  const version written_as = take_version(metadata, bytes.name);
  loaded.report.checked = written_as != version::first;
  if (loaded.report.checked && metadata.take(checksum_of_metadata) != checksum_here) refuse_damaged("__metadata__");
  check_same_chain(now.chain, metadata.take("chain"), differences);
  read_options(metadata, now.settings, differences);
  const auto check_same = [&](const std::string& name, const std::string& here, const std::string& otherwise) {
    const std::string there(metadata.take_if_there(name).value_or(otherwise));
    if (here == there) return;
    if (!differences.kept()) throw error("load", "Expected a checkpoint of ", name, "=", here, ". Received one of ", there, ".");
    differences.note(name, there, here);
  };
  check_same("seed", to_text(now.settings.seed), "0");
  check_same("weights", std::string(to_text(rounding_of(store, now))), "exact");
  now.changed = read_changed(metadata, now.changed, differences);
  now.steps = metadata.take_number<long>("step", counts);
  now.calls = metadata.take_number<long>("calls", counts);
  if (now.calls < now.steps)
    throw error("load", "Expected no more steps than calls. Received ", now.steps, " of ", now.calls, ".");
  now.losses = {};
  if (metadata.has("losses"))
    now.losses = {.sum = metadata.take_number<double>("sum of losses", finite_number),
                  .count = metadata.take_number<long>("losses", from(1).to(static_cast<double>(now.calls)))};
  now.skipped = metadata.has("skipped") ? metadata.take_number<long>("skipped", counts) : 0;
  const std::string_view mode = metadata.take("mode");
  if (mode != "x" && mode != "y") throw error("load", "Expected a mode of x or y. Received '", mode, "'.");

  std::vector<bool> starts_anew(store.parameters.size(), false);
  if (partial)
    for (std::size_t i = 0; i < store.parameters.size(); ++i)
      starts_anew[i] = !metadata.has(parameter_key(store.parameters[i].info, "route"));
  for (std::size_t i = 0; i < store.parameters.size(); ++i)
    if (starts_anew[i]) loaded.report.added.push_back(store.parameters[i].info.name);
  const std::vector<bool> is_added = starts_anew;
  const auto is_promised = [&](const std::string& array) { return metadata.has(checksum_key(array)); };
  auto arrays = arrays_to_read(header, arrays_of(store, mode == "x", "load"), policy, is_promised, starts_anew);
  for (std::size_t i = 0; i < store.parameters.size(); ++i)
    if (starts_anew[i] && !is_added[i]) {
      loaded.report.reshaped.push_back(store.parameters[i].info.name);
      static_cast<void>(metadata.take(parameter_key(store.parameters[i].info, "route")));
    }
  std::tie(now.routes, loaded.routes) = read_routes(metadata, store, now, starts_anew, differences);
  now.gathered.clear();
  for (std::size_t i = 0; i < store.parameters.size(); ++i)
    now.gathered.push_back(!starts_anew[i] && !metadata.take_if_there(parameter_key(store.parameters[i].info, "gathered")));
  const auto numbers_there = metadata.take_if_there("numbers").value_or(element_of(type_of<T>).dtype);
  auto checksums = check_parameters(metadata, store, starts_anew, mode == "x", numbers_there, differences, written_as, held);
  if (loaded.report.checked)
    for (const auto& a : arrays) checksums.emplace(a.name, metadata.take(checksum_key(a.name)));
  loaded.report.missing = metadata.parameters_left();
  if (!partial && !differences.kept()) metadata.check_empty();
  if (!partial && !loaded.report.missing.empty())
    throw error("load", "Expected a checkpoint of these parameters. Received one with ", in_quotes(loaded.report.missing.front()),
                " as well.");

  // y is the parameter.
  const auto is_elsewhere = [&](const named_array& a) {
    return held && !held->is_here(a.parameter) && (a.numbers || !a.rest_of.empty() || !held->has_all_parameters);
  };
  const std::size_t count = bytes.size - arrays_begin;
  const auto read = allocate<std::byte>(count);  // bytes of other processes stay untouched
  const auto fetch = [&](const std::string& tensor) {
    if (const auto found = header.tensors.find(tensor); found != header.tensors.end())
      bytes.read(arrays_begin + found->second.begin, {read.get() + found->second.begin, found->second.end - found->second.begin});
  };
  if (!held) bytes.read(arrays_begin, {read.get(), count});
  std::erase_if(arrays, [&](const named_array& a) {
    if (is_elsewhere(a)) return true;
    if (!held) return false;
    fetch(a.name);
    fetch(name_of_scales(a.name));
    return false;
  });
  const auto values_of = [&](const safetensors::tensor_entry& t) {
    return std::span<const std::byte>(read.get() + t.begin, t.end - t.begin);
  };
  for (const auto& a : arrays) {
    const auto& there = header.tensors.find(a.name)->second;
    const auto saved = checksums.find(a.name);
    if (saved != checksums.end() && saved->second != checksum_of(values_of(there), a.element, written_as)) refuse_damaged(a.name);
    check_finite("load", a.name, there.dtype, values_of(there));
  }
  std::vector<std::optional<converted_numbers>> converted;
  for (const auto& a : arrays) {
    const auto& there = header.tensors.find(a.name)->second;
    converted.emplace_back();
    if (fits(there, a)) continue;
    const auto scales = header.tensors.find(name_of_scales(a.name));
    const number_type type = *number_type_of_dtype(there.dtype);
    const auto rest = scales != header.tensors.end() ? values_of(scales->second) : std::span<const std::byte>();
    if (type == number_type::eight_bits && rest.size() != blocks_of(a.size()) * sizeof(float))
      throw error("load", "Expected the scales of '", a.name, "' in the checkpoint. Received none.");
    if (!rest.empty()) {
      if (loaded.report.checked && metadata.take(checksum_key(name_of_scales(a.name))) != checksum(rest))
        refuse_damaged(name_of_scales(a.name));
      check_finite("load", name_of_scales(a.name), "F32", rest);
    }
    converted.back().emplace(numbers_of(type, values_of(there).data(), rest, a.size()), a);
    differences.note(in_words("type of ", in_quotes(a.name)), there.dtype, a.element.dtype);
  }
  loaded.now = std::move(now);
  loaded.report.changed = std::move(differences).all();
  before_writing(loaded);
  for (std::size_t i = 0; i < arrays.size(); ++i) {  // from here on nothing throws
    if (converted[i]) converted[i]->write_to(arrays[i]);
    else from_row_major(values_of(header.tensors.find(arrays[i].name)->second).data(), arrays[i]);
  }
  for (std::size_t i = 0; i < store.parameters.size(); ++i) {
    const stored_array& values = store.parameters[i].values;
    const auto is_its_rest = [&](const named_array& a) { return a.data == values.rest; };
    if (values.rest && (!held || held->is_here(i)) && !starts_anew[i] && std::ranges::none_of(arrays, is_its_rest)) begin_rest(values, store.parameters[i].size);
  }
  return loaded;
}

void replace_file(const std::string& path, const std::function<void(const write_bytes&)>& write_all) {
  std::optional<file_to_replace> file;  // not before there is something to write
  write_all([&](std::span<const std::byte> piece, std::size_t) {
    if (!file) file.emplace(path);
    file->write(piece);
  });
  if (file) file->commit();
}

readable_bytes bytes_of_file(const std::string& path) {
  const auto file = std::make_shared<const file_to_read>(path);
  return {path, file->size(), [file](std::size_t from, std::span<std::byte> to) { file->read(from, to); }};
}

#define THALWEG_INSTANTIATE(T)                                                                                           \
  template void write_checkpoint(const write_bytes&, const storage<T>&, const progress&,                                 \
                                 const std::function<void(std::size_t, T*)>&);                                           \
  template void write_checkpoint(const write_bytes&, const storage<T>&, const progress&,                                 \
                                 const std::function<void(std::size_t, T*)>&, const held_arrays*);                       \
  template loaded_progress read_checkpoint(const readable_bytes&, storage<T>&, progress, const load_policy&,             \
                                           const std::function<void(const loaded_progress&)>&);                          \
  template loaded_progress read_checkpoint(const readable_bytes&, storage<T>&, progress, const load_policy&,             \
                                           const std::function<void(const loaded_progress&)>&, const held_arrays*);
THALWEG_INSTANTIATE(float)
THALWEG_INSTANTIATE(double)
#undef THALWEG_INSTANTIATE

}  // namespace thalweg::detail
