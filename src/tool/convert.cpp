#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <type_traits>
#include <utility>

#include <thalweg/core/data_of_type.hpp>
#include <thalweg/core/error.hpp>
#include <thalweg/core/predicate.hpp>
#include <thalweg/text.hpp>
#include <thalweg/text/call.hpp>

#include "../checkpoint/checksum.hpp"
#include "../checkpoint/element_type.hpp"
#include "../text/calls.hpp"
#include "commands.hpp"

namespace thalweg::tool {

namespace {

using detail::safetensors::header;

/// A state, `transform.slot`, and its name in PyTorch.
struct known_state {
  std::string_view ours, theirs;
};
constexpr std::array known_states{known_state{"scale_by_adam.first_moment", "exp_avg"},
                                  known_state{"scale_by_adam.second_moment", "exp_avg_sq"},
                                  known_state{"nesterov_ema.momentum", "momentum_buffer"}};
constexpr std::string_view step_name = "step";

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw error("convert", parts...);
}

/// `w/scale_by_adam.first_moment`: the parameter, and its state's name in PyTorch.
std::pair<std::string, std::string> torch_name(const std::string& ours) {
  const auto slash = ours.rfind('/');
  const std::string state = slash == ours.npos ? "" : ours.substr(slash + 1);
  const auto known = std::ranges::find(known_states, state, &known_state::ours);
  if (known == known_states.end())
    refuse("Expected a chain with the states of PyTorch's AdamW or Muon: those of scale_by_adam and nesterov_ema. Received ",
           in_quotes(ours), ".");
  return {ours.substr(0, slash), std::string(known->theirs)};
}

/// Whether an array of a checkpoint is the scales of another.
bool is_scales(const tensor_file& checkpoint, const std::string& ours) {
  const std::string end = detail::name_of_scales("");
  return ours.ends_with(end) && checkpoint.header().tensors.contains(ours.substr(0, ours.size() - end.size()));
}

std::string behind(const std::string& parameter, std::string_view what) { return in_words(parameter, ".", what); }

/// A header and its arrays as one text, the arrays in the order of their names.
class new_file {
  header header_;
  std::string arrays_;

public:
  explicit new_file(std::map<std::string, std::string> metadata) { header_.metadata = std::move(metadata); }
  void add(const std::string& name, const std::string& dtype, std::vector<std::size_t> shape,
           std::span<const std::byte> bytes) {
    const std::size_t begin = arrays_.size();
    arrays_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    header_.tensors[name] = {dtype, std::move(shape), begin, arrays_.size()};
  }
  header& head() { return header_; }
  [[nodiscard]] std::string bytes() const { return detail::safetensors::to_bytes(header_) + arrays_; }
};

template <class T>
constexpr std::string_view dtypes_for = std::is_same_v<T, float> ? "F32, BF16 or F16" : "F64";

/// Whether a state of a checkpoint is the part of a parameter that 16 bits leave out.
bool is_rest(const std::string& ours) {
  return std::ranges::any_of(std::array{number_type::bfloat16, number_type::float16},
                             [&](number_type t) { return ours.ends_with(in_words("/", detail::name_of_rest(t))); });
}

/// PyTorch's file: parameters, and the states that belong to them.
class torch_file {
  const tensor_file& file_;
  std::set<std::string> states_;  ///< not yet converted

public:
  std::vector<std::string> parameters;

  explicit torch_file(const tensor_file& file) : file_(file) {
    for (const auto& [name, t] : file.header().tensors) {
      const auto dot = name.rfind('.');
      const std::string end = dot == name.npos ? "" : name.substr(dot + 1);
      const bool is_state = end == step_name || std::ranges::find(known_states, end, &known_state::theirs) != known_states.end();
      if (!is_state) parameters.push_back(name);
      else if (file.header().tensors.contains(name.substr(0, dot))) states_.insert(name);
      else
        refuse("Expected the parameter ", in_quotes(name.substr(0, dot)), " in the same file as its state. Received ",
               in_quotes(name), " alone.");
    }
    if (parameters.empty()) refuse("Expected parameters and their states in '", file.name(), "'. Received none.");
  }

  [[nodiscard]] const tensor_entry& entry(const std::string& name) const { return file_.header().tensors.at(name); }

  /// The numbers of a state, in T.
  template <class T>
  std::vector<T> take(const std::string& state, const std::string& for_ours, const tensor_entry& like) {
    if (!states_.erase(state)) refuse("Expected ", in_quotes(state), " for ", in_quotes(for_ours), ". Received none.");
    const auto& t = entry(state);
    const auto type = detail::number_type_of_dtype(t.dtype);
    if (!type || !detail::reads<T>(*type) || t.shape != like.shape)
      refuse("Expected ", in_quotes(state), " with shape ", std::span(like.shape), " of ", dtypes_for<T>, ". Received shape ",
             std::span(t.shape), " of ", t.dtype, ".");
    const auto numbers = file_.numbers(state);
    return {numbers->begin(), numbers->end()};
  }

  /// The steps that every parameter has taken, where the file says them.
  std::optional<long> take_step() {
    std::optional<long> steps;
    for (const std::string& p : parameters) {
      if (!states_.erase(behind(p, step_name))) continue;
      const auto& t = entry(behind(p, step_name));
      const auto number = file_.numbers(behind(p, step_name));
      if (!number || number->size() != 1 || !from(0).below(0x1p53).contains(number->front()) ||
          number->front() != std::floor(number->front()))
        refuse("Expected a count of steps, one number of F32 or F64, in ", in_quotes(behind(p, step_name)),
               ". Received shape ", std::span(t.shape), " of ", t.dtype,
               number && number->size() == 1 ? in_words(", ", number->front()) : "", ".");
      const long here = static_cast<long>(number->front());
      if (steps && *steps != here)
        refuse("Expected one count of steps for all parameters. Received ", *steps, " and, in ",
               in_quotes(behind(p, step_name)), ", ", here, ".");
      steps = here;
    }
    return steps;
  }

  void check_empty() const {
    if (!states_.empty()) refuse("Expected only states that the chain has. Received ", in_quotes(*states_.begin()), ".");
  }
};

options options_of(const std::string& text) {
  if (text.empty()) return {};
  const auto calls = text::calls_of(in_words("options(", text, ")"));
  if (calls.size() != 1) refuse("Expected options as weight_decay=0.01, warmup_steps=100. Received ", in_quotes(text), ".");
  options o = text::read_fields<options>(calls.front());
  o.parallel = sequential();
  return o;
}

template <class T>
std::string to_checkpoint(const tensor_file& file, torch_file& given, const optimizer_of_file& optimizer_there) {
  std::vector<std::vector<std::byte>> weights;
  std::vector<parameter<T>> parameters;
  for (const std::string& name : given.parameters) {
    const auto& t = given.entry(name);
    const auto type = detail::number_type_of_dtype(t.dtype);
    if (!type || !detail::reads<T>(*type))
      refuse("Expected parameters of F32, BF16 or F16, or all of F64. Received ", in_quotes(name), " of ", t.dtype, ".");
    weights.push_back(file.bytes(t));
    const auto said = std::ranges::find_if(optimizer_there.roles, [&](const auto& r) { return name_matches::matches(name, r.first); });
    parameters.push_back({.name = name, .shape = t.shape,
                          .role = said == optimizer_there.roles.end() ? role::unspecified : said->second,
                          .data = detail::data_of_type<T>("convert", name, weights.back().data(), *type)});
  }
  optimizer<T> opt(parse(optimizer_there.chain), parameters, options_of(optimizer_there.options));

  const std::string empty = opt.to_bytes();  // the form, to be filled
  const tensor_file form(bytes_in_memory("", empty));
  new_file filled(form.header().metadata);
  auto& metadata = filled.head().metadata;
  for (const auto& [ours, t] : form.header().tensors) {
    if (is_rest(ours)) {  // PyTorch's parameters of 16 bits are all there is
      filled.add(ours, t.dtype, t.shape, form.bytes(t));
      continue;
    }
    const auto [parameter, state] = torch_name(ours);
    const std::vector<T> numbers = given.take<T>(behind(parameter, state), ours, t);
    const auto bytes = std::as_bytes(std::span(numbers));
    filled.add(ours, t.dtype, t.shape, bytes);
    metadata[in_words("checksum of ", ours)] = detail::checksum(bytes);
  }
  const auto said = given.take_step();
  given.check_empty();
  const auto steps = said ? said : optimizer_there.step;
  if (!steps) refuse("Expected a tensor NAME.step, or --step N. Received neither.");
  if (said && optimizer_there.step && *said != *optimizer_there.step)
    refuse("Expected --step ", *said, ", as the file says. Received ", *optimizer_there.step, ".");
  metadata["step"] = metadata["calls"] = to_text(*steps);
  metadata[std::string(detail::checksum_of_entries)] = detail::checksum(metadata);
  std::string bytes = filled.bytes();
  opt.load_bytes(bytes);  // throws where it is no checkpoint of this optimizer
  return bytes;
}

}  // namespace

std::string from_torch(const tensor_file& file, const optimizer_of_file& optimizer) {
  torch_file given(file);
  return given.entry(given.parameters.front()).dtype == "F64" ? to_checkpoint<double>(file, given, optimizer)
                                                              : to_checkpoint<float>(file, given, optimizer);
}

std::string to_torch(const tensor_file& checkpoint) {
  const auto said = checkpoint.metadata("step");
  if (!checkpoint.is_checkpoint() || !said) refuse("Expected a checkpoint of thalweg. Received '", checkpoint.name(), "'.");
  const auto steps = text::read_number({.text = said->empty() ? "?" : *said, .arguments = {}});
  const float step = static_cast<float>(steps.value_or(-1));
  if (!steps || static_cast<double>(step) != *steps)
    refuse("Expected a count of steps that PyTorch's float32 holds. Received ", in_quotes(*said), ".");

  new_file made({});
  for (const auto& [ours, t] : checkpoint.header().tensors) {
    if (is_rest(ours) || is_scales(checkpoint, ours)) continue;
    const auto [parameter, state] = torch_name(ours);
    if (t.dtype == detail::element_of(number_type::eight_bits).dtype) {
      const auto numbers = checkpoint.numbers(ours);
      if (!numbers) refuse("Expected the scales of ", in_quotes(ours), " in '", checkpoint.name(), "'. Received none.");
      const std::vector<float> in_float(numbers->begin(), numbers->end());
      made.add(behind(parameter, state), "F32", t.shape, std::as_bytes(std::span(in_float)));
    } else {
      made.add(behind(parameter, state), t.dtype, t.shape, checkpoint.bytes(t));
    }
    if (state == "exp_avg") made.add(behind(parameter, step_name), "F32", {}, std::as_bytes(std::span(&step, 1)));
  }
  if (made.head().tensors.empty()) refuse("Expected a checkpoint with states. Received '", checkpoint.name(), "' without.");
  return made.bytes();
}

}  // namespace thalweg::tool
