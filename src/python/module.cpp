// Python's module `thalweg`: chains from text, over numpy's arrays, which are trained where they lie.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <thalweg/core/data_of_type.hpp>
#include <thalweg/text.hpp>

#include "../checkpoint/safetensors.hpp"

namespace py = pybind11;
namespace fs = std::filesystem;
namespace safetensors = thalweg::detail::safetensors;
using namespace thalweg;

namespace {

using numpy = py::detail::npy_api;

// ---- arguments from Python ------------------------------------------------------------------------

std::string name_of_type(py::handle given) { return py::str(py::type::handle_of(given).attr("__name__")); }
std::string dtype_of(const py::array& a) { return py::str(a.dtype()); }

std::vector<std::size_t> shape_of(const py::array& a) { return {a.shape(), a.shape() + a.ndim()}; }

/// What numpy and a checkpoint call the arrays of a checkpoint. numpy has no bfloat16.
struct dtype_names {
  const char *in_numpy, *in_file;
};
constexpr std::array dtypes_of_checkpoints{dtype_names{"float32", "F32"}, dtype_names{"float64", "F64"},
                                           dtype_names{"float16", "F16"}, dtype_names{"uint16", "BF16"},
                                           dtype_names{"uint8", "U8"},    dtype_names{"int16", "I16"}};

/// What an array's dtype says that its numbers are. bfloat16 is that of ml_dtypes.
std::optional<number_type> number_type_of(const py::array& a) {
  for (const auto t : {number_type::float32, number_type::float64, number_type::float16})
    if (a.dtype().equal(py::dtype(std::string(to_text(t))))) return t;
  return dtype_of(a) == to_text(number_type::bfloat16) ? std::optional(number_type::bfloat16) : std::nullopt;
}
bool is_uint16(const py::array& a) { return a.dtype().equal(py::dtype("uint16")); }

struct named_object {
  std::string name;
  py::object value;
};

/// A name. Python's texts may hold halves of characters, which UTF-8 cannot.
std::string utf8_of(std::string_view where, const py::handle& name) {
  Py_ssize_t size = 0;
  if (const char* const text = PyUnicode_AsUTF8AndSize(name.ptr(), &size)) return {text, static_cast<std::size_t>(size)};
  PyErr_Clear();
  throw error(where, "Expected names in UTF-8. Received ", py::repr(name).cast<std::string>(), ".");
}

/// What a dict or a list of pairs holds.
std::vector<named_object> named_objects(std::string_view where, std::string_view what, const py::object& given) {
  const auto refuse = [&](const std::string& received) {
    throw error(where, "Expected ", what, " as a dict by name, or as a list of (name, value). Received ", received,
                ".");
  };
  const bool is_dict = py::hasattr(given, "items");
  if (!is_dict && !py::isinstance<py::list>(given) && !py::isinstance<py::tuple>(given)) refuse(name_of_type(given));
  std::vector<named_object> all;
  for (const py::handle item : is_dict ? given.attr("items")() : given) {
    if (!py::isinstance<py::tuple>(item) || py::len(item) != 2) refuse("an entry " + name_of_type(item));
    const auto pair = py::reinterpret_borrow<py::tuple>(item);
    if (!py::isinstance<py::str>(pair[0])) refuse("a name of type " + name_of_type(pair[0]));
    all.push_back({utf8_of(where, pair[0]), pair[1]});
  }
  return all;
}

/// Subclasses mean something of their own by their numbers (masked arrays, matrices).
py::array as_array(std::string_view where, std::string_view what, py::handle given) {
  if (Py_TYPE(given.ptr()) != reinterpret_cast<PyTypeObject*>(numpy::get().PyArray_Type_))
    throw error(where, "Expected a numpy array ", what, ". Received ", name_of_type(given),
                "; numpy.asarray(...) makes one, where possible of the same memory.");
  return py::reinterpret_borrow<py::array>(given);
}

bool aligned(const py::array& a) { return a.flags() & numpy::NPY_ARRAY_ALIGNED_; }

bool lies_in(storage_order order, const py::array& a) {
  return a.flags() & (order == storage_order::row_major ? py::array::c_style : py::array::f_style);
}

/// The array itself, or a copy where it lies otherwise.
py::array laid_out(storage_order order, const py::array& a) {
  auto as_wanted = py::array::ensure(a, numpy::NPY_ARRAY_ALIGNED_ | (order == storage_order::row_major
                                                                         ? int(py::array::c_style)
                                                                         : int(py::array::f_style)));
  if (!as_wanted) throw std::bad_alloc();
  return as_wanted;
}

// ---- parameters -----------------------------------------------------------------------------------

/// How a parameter lies in memory. What cannot be trained where it lies is refused.
storage_order order_of(const std::string& name, const py::array& a) {
  if (!a.writeable())
    throw error("optimizer", "Expected '", name, "' to be writeable. Received it read-only; train numpy.array(...) of "
                "it in its place.");
  if (!aligned(a))
    throw error("optimizer", "Expected '", name, "' in memory aligned to its type. Received it elsewhere; train "
                "numpy.array(...) of it in its place.");
  if (lies_in(storage_order::row_major, a)) return storage_order::row_major;
  if (a.ndim() == 2 && lies_in(storage_order::column_major, a)) return storage_order::column_major;
  throw error("optimizer", "Expected '", name, "' to be contiguous. Received shape ", shape_of(a), " with strides ",
              std::string(py::str(a.attr("strides"))), "; train numpy.ascontiguousarray(...) of it in its place.");
}

role role_from(const std::string& name, const std::string& text) {
  for (const role r : {role::hidden, role::embedding, role::head})
    if (text == to_text(r)) return r;
  throw error("optimizer", "Expected a role of 'hidden', 'embedding' or 'head' for '", name, "'. Received '", text,
              "'.");
}

/// An array to be trained, kept alive and in its place.
struct bound_array {
  parameter_info info;
  number_type type;
  py::array values;
  const void* data = nullptr;
  thalweg::view::list view{};
  std::vector<py::weakref> pins{};  ///< numpy does not resize a weakly referenced array
};

std::string names_of(const std::vector<bound_array>& arrays) {
  std::string all;
  for (const auto& a : arrays) all += in_words(all.empty() ? "'" : ", '", a.info.name, "'");
  return all;
}

/// What Python says of single parameters, by name.
struct by_name {
  std::map<std::string, std::string> roles, dtypes;
  std::map<std::string, double> lr_factors, weight_decay_factors;
  std::map<std::string, std::string> views;
};

template <class Value>
Value value_of(const std::map<std::string, Value>& all, const std::string& name, Value otherwise) {
  const auto found = all.find(name);
  return found == all.end() ? otherwise : found->second;
}

template <class Value>
void check_names(const char* what, const std::map<std::string, Value>& all, const std::vector<bound_array>& arrays) {
  std::unordered_set<std::string_view> names;
  for (const auto& a : arrays) names.insert(a.info.name);
  for (const auto& [name, value] : all)
    if (!names.contains(name))
      throw error("optimizer", "Expected ", what, " of ", names_of(arrays), ". Received one of '", name, "'.");
}

number_type number_type_of(const std::string& name, const py::array& a, const std::map<std::string, std::string>& dtypes) {
  const auto said = dtypes.find(name);
  const auto type = number_type_of(a);
  if (said != dtypes.end()) {
    if (said->second == to_text(number_type::bfloat16) && is_uint16(a)) return number_type::bfloat16;
    if (!type || said->second != to_text(*type))
      throw error("optimizer", "Expected a dtype of '", is_uint16(a) ? "bfloat16" : dtype_of(a), "' for '", name,
                  "', whose array is ", dtype_of(a), ". Received '", said->second, "'.");
  }
  if (type) return *type;
  throw error("optimizer", "Expected float32, float64, float16 or bfloat16 for '", name, "'. Received ", dtype_of(a),
              is_uint16(a) ? in_words("; dtypes={'", name, "': 'bfloat16'} says that its numbers are bfloat16.")
                           : "; train a copy in its place, astype(numpy.float32).");
}

std::vector<bound_array> bind_arrays(const py::object& params, const by_name& said) {
  std::vector<bound_array> all;
  for (const auto& [name, value] : named_objects("optimizer", "params", params)) {
    const py::array a = as_array("optimizer", "for '" + name + "'", value);
    const auto chosen = said.roles.find(name);
    bound_array bound{{.name = name,
                       .shape = shape_of(a),
                       .role = chosen == said.roles.end() ? role::unspecified : role_from(name, chosen->second),
                       .order = order_of(name, a),
                       .lr_factor = value_of(said.lr_factors, name, 1.0),
                       .weight_decay_factor = value_of(said.weight_decay_factors, name, 1.0)},
                      number_type_of(name, a, said.dtypes), a, a.data()};
    if (const auto viewed = said.views.find(name); viewed != said.views.end()) bound.view = parse_view(viewed->second);
    for (const view::part& part : bound.view.parts())
      if (const auto* const stack = std::get_if<view::stack>(&part); stack && stack->stride)
        throw error("optimizer", "Expected a view without a stride for '", name, "', since an array has no gaps. Received '",
                    said.views.at(name), "'.");
    for (py::object owner = a; !owner.is_none() && py::isinstance<py::array>(owner); owner = owner.attr("base"))
      bound.pins.emplace_back(owner);
    all.push_back(std::move(bound));
  }
  check_names("roles", said.roles, all);
  check_names("dtypes", said.dtypes, all);
  check_names("lr_factors", said.lr_factors, all);
  check_names("weight_decay_factors", said.weight_decay_factors, all);
  check_names("views", said.views, all);
  return all;
}

template <class T>
optimizer<T> make(const parsed_chain& chain, const std::vector<bound_array>& arrays, const options& o) {
  std::vector<parameter<T>> parameters;
  const std::string mend = std::is_same_v<T, double> ? "; train a copy in its place, astype(numpy.float64)"
                                                     : "; train a copy in its place, astype(numpy.float32)";
  for (const bound_array& a : arrays)
    parameters.push_back({a.info.name, a.info.shape, a.info.role,
                          detail::data_of_type<T>("optimizer", a.info.name, const_cast<void*>(a.data), a.type, mend),
                          a.info.order, a.info.lr_factor, a.info.weight_decay_factor, a.view});
  return {chain, parameters, o};
}

using either = std::variant<optimizer<float>, optimizer<double>>;

either make_either(const parsed_chain& chain, const std::vector<bound_array>& arrays, const options& o) {
  if (arrays.empty()) throw error("optimizer", "Expected at least one parameter. Received none.");
  if (arrays[0].type == number_type::float64) return make<double>(chain, arrays, o);
  return make<float>(chain, arrays, o);
}

// ---- checkpoints in memory ------------------------------------------------------------------------

py::dict state_from(std::string_view bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const std::string_view behind = bytes.substr(safetensors::length_bytes + length);

  py::dict arrays, metadata;
  const auto header =
      safetensors::parse(std::string(bytes.substr(safetensors::length_bytes, length)), behind.size());
  for (const auto& [name, t] : header.tensors) {
    const auto* const known = std::ranges::find(dtypes_of_checkpoints, t.dtype, &dtype_names::in_file);
    py::array a(py::dtype(known->in_numpy), t.shape);
    std::memcpy(a.mutable_data(), behind.data() + t.begin, t.end - t.begin);
    arrays[py::str(name)] = a;
  }
  for (const auto& [key, text] : header.metadata) metadata[py::str(key)] = text;
  return py::dict(py::arg("state") = arrays, py::arg("metadata") = metadata);
}

std::string bytes_of(const py::dict& saved) {
  const auto part = [&](const char* name) {
    if (py::len(saved) != 2 || !saved.contains(name))
      throw error("load_state_dict", "Expected what state_dict() returned, with 'state' and 'metadata'. Received keys ",
                  std::string(py::str(py::list(saved))), ".");
    return named_objects("load_state_dict", name, saved[name]);
  };
  safetensors::header header;
  for (const auto& [key, text] : part("metadata")) {
    if (!py::isinstance<py::str>(text))
      throw error("load_state_dict", "Expected text for '", key, "'. Received ", name_of_type(text), ".");
    header.metadata[key] = text.cast<std::string>();
  }
  std::vector<py::array> arrays;
  std::size_t end = 0;
  for (const auto& [name, value] : part("state")) {
    const py::array a = as_array("load_state_dict", "for '" + name + "'", value);
    const auto* const known = std::ranges::find(dtypes_of_checkpoints, dtype_of(a), &dtype_names::in_numpy);
    if (known == dtypes_of_checkpoints.end())
      throw error("load_state_dict", "Expected float32, float64, float16, uint16, uint8 or int16 for '", name, "'. Received ",
                  dtype_of(a), ".");
    arrays.push_back(laid_out(storage_order::row_major, a));
    const std::size_t begin = std::exchange(end, end + static_cast<std::size_t>(a.nbytes()));
    header.tensors[name] = {known->in_file, shape_of(a), begin, end};
  }
  std::string bytes = safetensors::to_bytes(header);
  bytes.reserve(bytes.size() + end);
  for (const auto& a : arrays) bytes.append(static_cast<const char*>(a.data()), static_cast<std::size_t>(a.nbytes()));
  return bytes;
}

// ---- the optimizer --------------------------------------------------------------------------------

/// With a name of its own: it may outlive the optimizer.
struct named_report : parameter_report {
  std::string its_name;
  explicit named_report(const parameter_report& r) : parameter_report(r), its_name(r.name) {}
};

struct report {
  bool taken;
  std::optional<std::string> parameter;
  double lr;
  std::optional<double> gradient_norm;
  std::size_t without_gradient;
  std::vector<named_report> parameters;
  long steps;

  /// f(steps, report) as C++ has it.
  template <class F>
  std::string as_text(F f) const {
    std::vector<parameter_report> all;
    for (const named_report& p : parameters) {
      all.push_back(p);
      all.back().name = p.its_name;
    }
    return f(steps, step_report{.taken = taken, .parameter = parameter ? std::string_view(*parameter) : "", .lr = lr,
                                .gradient_norm = gradient_norm, .without_gradient = without_gradient, .parameters = all});
  }
};

report report_of(const step_report& r, long steps) {
  return {r.taken, r.parameter.empty() ? std::nullopt : std::optional(std::string(r.parameter)), r.lr, r.gradient_norm,
          r.without_gradient, {r.parameters.begin(), r.parameters.end()}, steps};
}

load_policy policy_from(const std::string& parameters, const std::string& settings) {
  if (parameters != "exact" && parameters != "partial")
    throw error("load", "Expected parameters of 'exact' or 'partial'. Received '", parameters, "'.");
  if (settings != "exact" && settings != "keep")
    throw error("load", "Expected settings of 'exact' or 'keep'. Received '", settings, "'.");
  return {.parameters = parameters == "exact" ? parameter_match::exact : parameter_match::partial,
          .settings = settings == "exact" ? setting_match::exact : setting_match::keep};
}

/// A gradient as its parameter lies in memory; empty where there is none.
struct given_gradient {
  py::array values;
  number_type type{};

  operator gradient_view() const { return {values.data(), static_cast<std::size_t>(values.size()), type}; }
};

class numpy_optimizer {
  parsed_chain chain_;
  std::vector<bound_array> arrays_;
  std::unordered_map<std::string, std::size_t> numbers_;  ///< of the arrays, by name
  either engine_;
  mutable std::mutex mutex_;

public:
  numpy_optimizer(parsed_chain chain, const py::object& params, const options& o, const by_name& said)
      : chain_(std::move(chain)), arrays_(bind_arrays(params, said)), engine_(make_either(chain_, arrays_, o)) {
    for (std::size_t i = 0; i < arrays_.size(); ++i) numbers_.emplace(arrays_[i].info.name, i);
  }

  [[nodiscard]] std::unique_lock<std::mutex> lock() const { return std::unique_lock(mutex_); }

  /// Calls f(engine) under the mutex and without the GIL: Python's other threads run, so f may not touch Python objects.
  /// The mutex's owner never waits for the GIL, so a thread may wait for the mutex with or without the GIL.
  template <class F>
  auto alone(F f) {
    const py::gil_scoped_release others_run;
    const auto locked = lock();
    return std::visit(f, engine_);
  }

  report step(const py::object& gradients, std::optional<double> loss, bool norms) {
    check_bound("step");
    const std::vector<given_gradient> given = in_order(gradients);
    const std::vector<gradient_view> views(given.begin(), given.end());
    return alone([&](auto& engine) {
      const step_report r =
          engine.step(views, {.loss = loss, .measure = norms ? measure::norms : measure::nothing});
      return report_of(r, engine.steps());
    });
  }
  report flush() {
    check_bound("flush");
    return alone([](auto& engine) {
      const step_report r = engine.flush();
      return report_of(r, engine.steps());
    });
  }
  void drop() {
    alone([](auto& engine) { engine.drop(); });
  }

  /// x of a parameter, in memory of its own.
  py::array averaged(const std::string& name) {
    const auto found = numbers_.find(name);
    if (found == numbers_.end())
      throw error("averaged", "Expected one of ", names_of(arrays_), ". Received '", name, "'.");
    const auto& info = arrays_[found->second].info;
    py::array x = std::visit([&]<class T>(const optimizer<T>&) -> py::array {
      if (info.order == storage_order::row_major) return py::array_t<T, py::array::c_style>(info.shape);
      return py::array_t<T, py::array::f_style>(info.shape);
    }, engine_);
    alone([&, out = x.mutable_data()]<class T>(const optimizer<T>& engine) {
      engine.averaged(found->second, {static_cast<T*>(out), info.size()});
    });
    return x;
  }

  py::dict state_dict() {
    return state_from(alone([](const auto& engine) { return engine.to_bytes(); }));
  }
  load_report load_state_dict(const py::dict& saved, const std::string& parameters, const std::string& settings) {
    check_bound("load");
    const load_policy policy = policy_from(parameters, settings);
    return alone([bytes = bytes_of(saved), &policy](auto& engine) { return engine.load_bytes(bytes, policy); });
  }
  void save(const fs::path& path) {
    alone([&](const auto& engine) { engine.save(path); });
  }
  load_report load(const fs::path& path, const std::string& parameters, const std::string& settings) {
    check_bound("load");
    const load_policy policy = policy_from(parameters, settings);
    return alone([&](auto& engine) { return engine.load(path, policy); });
  }

  std::string describe() {
    return alone([](const auto& engine) { return engine.describe(); });
  }
  long steps() {
    return alone([](const auto& engine) { return engine.steps(); });
  }
  double lr() {
    return alone([](const auto& engine) { return engine.lr(); });
  }
  void set(const std::string& name, double value) {
    alone([&](auto& engine) { engine.set(name, value); });
  }
  double get(const std::string& name) {
    return alone([&](const auto& engine) { return engine.get(name); });
  }
  void scale_rows(const std::string& name, const std::vector<double>& by) {
    alone([&](auto& engine) { engine.scale_rows(name, by); });
  }
  void set_lr(double lr) {
    alone([lr](auto& engine) { engine.lr(lr); });
  }
  [[nodiscard]] const parsed_chain& chain() const { return chain_; }
  std::string repr() {
    return in_words("<thalweg.Optimizer '", to_text(chain_), "', ", arrays_.size(), " parameters, lr=", lr(),
                    ", steps=", steps(), ">");
  }

  /// Whether the parameters are still the arrays that were bound.
  void check_bound(std::string_view where) const {
    for (const bound_array& a : arrays_) {
      if (a.values.data() != a.data)
        throw error(where, "Expected '", a.info.name, "' in the memory in which it was bound. Received it in another; "
                    "make a new Optimizer.");
      if (!a.values.writeable())
        throw error(where, "Expected '", a.info.name, "' to be writeable, as when it was bound. Received it read-only.");
    }
  }

private:
  /// The gradients in the order of the parameters.
  [[nodiscard]] std::vector<given_gradient> in_order(const py::object& given) const {
    std::vector<py::object> found;
    if (py::hasattr(given, "items")) {
      found.resize(arrays_.size());
      for (auto& [name, value] : named_objects("step", "gradients", given)) {
        const auto owner = numbers_.find(name);
        if (owner == numbers_.end())
          throw error("step", "Expected gradients of ", names_of(arrays_), ". Received one of '", name, "'.");
        found[owner->second] = std::move(value);
      }
    } else if (py::isinstance<py::list>(given) || py::isinstance<py::tuple>(given)) {
      for (const py::handle g : given) found.push_back(py::reinterpret_borrow<py::object>(g));
      if (found.size() != arrays_.size())
        throw error("step", "Expected ", arrays_.size(), " gradients, one for each parameter. Received ", found.size(), ".");
    } else {
      throw error("step", "Expected gradients as a dict by name, or as a list in the order of the parameters. ",
                  "Received ", name_of_type(given), ".");
    }

    std::vector<given_gradient> gradients(found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto& info = arrays_[i].info;
      if (!found[i])
        throw error("step", "Expected a gradient for '", info.name, "', or None if it has none. Received no entry.");
      if (found[i].is_none()) continue;
      const py::array g = as_array("step", in_words("as the gradient of '", info.name, "'"), found[i]);
      const auto type = is_uint16(g) ? std::optional(number_type::bfloat16) : number_type_of(g);
      std::visit([&]<class T>(const optimizer<T>&) {
        if (!type || !detail::reads<T>(*type))
          throw error("step", "Expected a gradient of ", detail::what_is_read<T>, " for '", info.name, "'. Received ",
                      dtype_of(g), "; give its astype(numpy.", detail::type_of<T>, ").");
      }, engine_);
      if (shape_of(g) != info.shape)
        throw error("step", "Expected a gradient with shape ", info.shape, " for '", info.name, "'. Received ",
                    shape_of(g), ".");
      gradients[i] = {laid_out(info.order, g), *type};
    }
    return gradients;
  }
};

/// x in the parameters between `enter` and `leave`.
class evaluation_point {
  std::shared_ptr<numpy_optimizer> optimizer_;
  std::variant<std::monostate, evaluation_guard<float>, evaluation_guard<double>> guard_;

public:
  explicit evaluation_point(std::shared_ptr<numpy_optimizer> optimizer) : optimizer_(std::move(optimizer)) {}
  evaluation_point(evaluation_point&&) = delete;
  ~evaluation_point() {
    const auto locked = optimizer_->lock();
    guard_.emplace<std::monostate>();
  }

  void enter() {
    optimizer_->check_bound("evaluation_point");
    optimizer_->alone([this]<class T>(optimizer<T>& engine) {
      guard_.emplace<evaluation_guard<T>>(engine.evaluation_point());
    });
  }
  void leave() {
    optimizer_->alone([this](const auto&) { guard_.emplace<std::monostate>(); });
  }
};

parsed_chain chain_from(const py::object& given) {
  if (py::isinstance<parsed_chain>(given)) return given.cast<parsed_chain>();
  if (py::isinstance<py::str>(given)) return parse(given.cast<std::string>());
  throw error("optimizer", "Expected a chain as text or as thalweg.parse(...). Received ", name_of_type(given), ".");
}

/// The enumerator of this text.
template <class Enum>
Enum enumerator_of(const char* what, const std::string& text, std::initializer_list<Enum> all) {
  std::string names;
  for (const Enum e : all) {
    if (text == to_text(e)) return e;
    names += in_words(names.empty() ? "" : e == *(all.end() - 1) ? " or " : ", ", "'", to_text(e), "'");
  }
  throw error("optimizer", "Expected ", what, " of ", names, ". Received '", text, "'.");
}

options options_from(double lr, double weight_decay, long warmup_steps, double weight_lr_power, double r,
                     const std::string& state, const std::string& weights, std::uint64_t seed,
                     std::optional<std::size_t> workers) {
  options o{.lr = lr, .weight_decay = weight_decay, .warmup_steps = warmup_steps, .weight_lr_power = weight_lr_power,
            .r = r,
            .state = enumerator_of("state", state, {state_in::same, state_in::float32, state_in::bfloat16, state_in::eight_bits}),
            .weights = enumerator_of("weights", weights, {weights_in::exact, weights_in::nearest, weights_in::stochastic}),
            .seed = seed};
  if (workers == 0) throw error("optimizer", "Expected threads >= 1. Received 0.");
  if (workers) o.parallel = threads(*workers);
  return o;
}

}  // namespace

PYBIND11_MODULE(thalweg, m) {
  m.doc() = "Optimizers for deep learning as chains of transforms, over numpy arrays that are trained in place.";
  m.attr("__version__") = THALWEG_VERSION;
  m.attr("csv_header") = csv_header();
  py::register_exception<error>(m, "Error", PyExc_ValueError).doc() =
      "Bad input: what was expected, what was received, and how to fix it. Nothing has changed.";

  py::class_<parsed_chain>(m, "Chain", "A chain of transforms, made by parse(text).")
      .def("__str__", [](const parsed_chain& c) { return to_text(c); })
      .def("__repr__", [](const parsed_chain& c) { return in_words("thalweg.parse('", to_text(c), "')"); })
      .def("__eq__", [](const parsed_chain& a, const parsed_chain& b) { return to_text(a) == to_text(b); },
           py::is_operator())
      .def("__hash__", [](const parsed_chain& c) { return py::hash(py::str(to_text(c))); })
      .def(py::pickle([](const parsed_chain& c) { return to_text(c); },
                      [](const std::string& text) { return parse(text); }));
  m.def("parse", &parse, py::arg("text"),
        "The chain that a text describes; str(chain) is its text with every field.\n\n"
        ">>> chain = thalweg.parse('nesterov_ema(beta=0.95) | orthogonalize_update | update_by_schedule_free')");

  py::class_<named_report>(m, "ParameterReport", "How a step changed one parameter.")
      .def_readonly("name", &named_report::its_name)
      .def_readonly("gradient_norm", &parameter_report::gradient_norm)
      .def_readonly("update_norm", &parameter_report::update_norm, "Of the change of the parameter.")
      .def_readonly("parameter_norm", &parameter_report::parameter_norm, "After the step.")
      .def_property_readonly("ratio", [](const named_report& r) { return r.ratio(); }, "update_norm / parameter_norm")
      .def_readonly("largest_gradient", &parameter_report::largest_gradient, "The largest magnitude of an element.")
      .def_readonly("lr", &parameter_report::lr, "With the parameter's lr_factor.")
      .def_readonly("beta", &parameter_report::beta, "Schedule-Free's interpolation, or None.")
      .def_readonly("average_weight", &parameter_report::average_weight, "The weight of the newest step in the average, or None.");

  py::class_<report>(m, "StepReport", "The report of a step.")
      .def_readonly("taken", &report::taken, "Whether the parameters changed.")
      .def_readonly("parameter", &report::parameter, "The parameter because of which when_finite skipped the step, or None.")
      .def_readonly("lr", &report::lr,
                    "The learning rate of the step, after the warm-up and the chain's schedules, and before a "
                    "parameter's lr_factor: the largest of all routes. 0 if the step was not taken.")
      .def_readonly("gradient_norm", &report::gradient_norm,
                    "The norm of all gradients together, or None. clip_by_global_norm (before it clips) and "
                    "report_gradient_norm measure it, at the head of the chain.")
      .def_readonly("without_gradient", &report::without_gradient,
                    "The number of parameters without a gradient, which did not change.")
      .def_readonly("parameters", &report::parameters,
                    "One ParameterReport for each parameter that changed, after step(..., norms=True).")
      .def_property_readonly("json", [](const report& r) { return r.as_text(&to_json); }, "The whole report as one line of JSON.")
      .def_property_readonly("csv", [](const report& r) { return r.as_text(&to_csv); }, "The parameters as rows of CSV. thalweg.csv_header names the columns.")
      .def("__repr__", [](const report& r) {
        return in_words("thalweg.StepReport(taken=", r.taken ? "True" : "False", ", parameter=",
                        r.parameter ? "'" + *r.parameter + "'" : "None", ", lr=", r.lr, ", gradient_norm=",
                        r.gradient_norm ? to_text(*r.gradient_norm) : "None", ", without_gradient=", r.without_gradient, ")");
      });

  py::class_<load_report>(m, "LoadReport", "The report of a load.")
      .def_readonly("checked", &load_report::checked,
                    "Whether all that was read agrees with its checksum. False for files of an earlier version, which "
                    "have none of states and metadata.")
      .def_readonly("added", &load_report::added, "Parameters that the file does not have: they start with fresh state.")
      .def_readonly("reshaped", &load_report::reshaped, "Parameters with other states in the file: they start with fresh state.")
      .def_readonly("missing", &load_report::missing, "Parameters of the file that the optimizer does not have.")
      .def_readonly("changed", &load_report::changed, "Settings that differ.")
      .def("__repr__", [](const load_report& r) {
        const auto list = [](const std::vector<std::string>& all) { return std::string(py::repr(py::cast(all))); };
        return in_words("thalweg.LoadReport(checked=", r.checked ? "True" : "False", ", added=", list(r.added), ", reshaped=",
                        list(r.reshaped), ", missing=", list(r.missing), ", changed=", list(r.changed), ")");
      });

  py::class_<evaluation_point>(m, "EvaluationPoint", "For a with statement: x in the parameters, then y again.")
      .def("__enter__", [](py::object self) {
        self.cast<evaluation_point&>().enter();
        return self;
      })
      .def("__exit__", [](evaluation_point& self, const py::args&) { self.leave(); });

  const options defaults;
  py::class_<numpy_optimizer, std::shared_ptr<numpy_optimizer>>(m, "Optimizer", R"(
Trains numpy arrays in place with a chain.

chain   a text, as for parse, or a Chain
params  a dict, name -> array, or a list of (name, array). The arrays are writeable, all float64, or each float32,
        float16 or bfloat16, in C order; matrices may be in Fortran order. They are not copied, and are kept alive.
dtypes  'bfloat16' by name, for arrays of uint16 that hold such numbers. Arrays of ml_dtypes are recognised.
roles   'hidden', 'embedding' or 'head' by name, because the shape does not show it. A head that is tied to an
        embedding is an embedding. If a chain depends on the role (muon, amuse), it refuses a matrix without one.
lr_factors, weight_decay_factors
        numbers by name, which multiply the parameter's lr and weight decay; the default is 1
views   texts by name, which divide a parameter into parts. 'stack' makes E matrices of (E, m, n), 'filters' one of
        (E, m·n); 'row_blocks(q=64, k=16, v=16)' and 'column_blocks(32, 32)' divide a matrix, and
        'stack | row_blocks(64, 64)' each matrix of a stack. Each part is a parameter of its own, 'w[0]' or 'w.q'.
state   the type of state, except copies of a parameter (z, averages): 'same' as the computation, 'float32',
        'bfloat16' or 'eight_bits'
weights how 16-bit parameters are rounded: 'exact' (training equals that of float32, bit for bit), or in each step
        'nearest' or 'stochastic'
seed    of stochastic rounding
threads the number of threads of a step; the default is the number of cores

>>> opt = thalweg.Optimizer('amuse', {'w': w, 'b': b}, lr=0.02, weight_decay=0.05, warmup_steps=100,
...                         roles={'w': 'hidden'}, weight_decay_factors={'b': 0})
>>> opt.step({'w': dw, 'b': db})
>>> with opt.evaluation_point(): validate(w, b)

Other Python threads run during a step. Several threads may use one optimizer: a call waits until the other has ended.)")
      .def(py::init([](const py::object& chain, const py::object& params, double lr, double weight_decay,
                       long warmup_steps, double weight_lr_power, double r, const std::string& state,
                       const std::string& weights, std::uint64_t seed, const std::map<std::string, std::string>& roles,
                       const std::map<std::string, std::string>& dtypes, const std::map<std::string, double>& lr_factors,
                       const std::map<std::string, double>& weight_decay_factors,
                       const std::map<std::string, std::string>& views, std::optional<std::size_t> workers) {
             const auto o = options_from(lr, weight_decay, warmup_steps, weight_lr_power, r, state, weights, seed, workers);
             return std::make_shared<numpy_optimizer>(chain_from(chain), params, o,
                                                      by_name{roles, dtypes, lr_factors, weight_decay_factors, views});
           }),
           py::arg("chain"), py::arg("params"), py::kw_only(), py::arg("lr") = defaults.lr,
           py::arg("weight_decay") = defaults.weight_decay, py::arg("warmup_steps") = defaults.warmup_steps,
           py::arg("weight_lr_power") = defaults.weight_lr_power, py::arg("r") = defaults.r,
           py::arg("state") = std::string(to_text(defaults.state)),
           py::arg("weights") = std::string(to_text(defaults.weights)), py::arg("seed") = defaults.seed,
           py::arg("roles") = py::dict(), py::arg("dtypes") = py::dict(), py::arg("lr_factors") = py::dict(),
           py::arg("weight_decay_factors") = py::dict(), py::arg("views") = py::dict(), py::arg("threads") = py::none())
      .def("step", &numpy_optimizer::step, py::arg("gradients"), py::arg("loss") = py::none(),
           py::arg("norms") = false,
           "Takes one step. gradients: a dict by name, or a list in the order of the parameters, of the same shapes. For "
           "float64 parameters they are float64; otherwise each may be float32, float16 or bfloat16 (uint16, or of "
           "ml_dtypes). An array in the same memory order as its parameter is read in place, another one is copied. None "
           "means no gradient: the parameter and its state do not change, and its bias corrections do not count the "
           "step. norms=True measures each parameter.")
      .def("flush", &numpy_optimizer::flush,
           "Takes a step with the mean of the gradients that accumulate has collected, even if they are too few.")
      .def("drop", &numpy_optimizer::drop, "Discards the gradients that accumulate has collected.")
      .def("evaluation_point", [](std::shared_ptr<numpy_optimizer> self) {
             return std::make_unique<evaluation_point>(std::move(self));
           }, "In a with statement the parameters hold x, the average. Afterwards they hold y again, bit for bit.")
      .def("averaged", &numpy_optimizer::averaged, py::arg("name"), "A copy of x of one parameter, in float32, or in float64 if the parameters are.")
      .def("state_dict", &numpy_optimizer::state_dict,
           "{'state': name -> array, 'metadata': text -> text}: copies of what save writes. Keep it with the parameters. "
           "Arrays of bfloat16 are uint16. Arrays of eight bits are uint8, with their scales under 'NAME.scales'.")
      .def("load_state_dict", &numpy_optimizer::load_state_dict, py::arg("state_dict"), py::kw_only(),
           py::arg("parameters") = "exact", py::arg("settings") = "exact", "Like load, for the result of state_dict.")
      .def("save", &numpy_optimizer::save, py::arg("path"), "Replaces a safetensors file, whole or not at all.")
      .def("load", &numpy_optimizer::load, py::arg("path"), py::kw_only(), py::arg("parameters") = "exact",
           py::arg("settings") = "exact",
           "Continues where save stopped, bit for bit. The parameters must have the values that they had then. parameters="
           "'partial': those that the file does not have, or has with other states, start with fresh state. "
           "settings='keep': the optimizer keeps its own chain and options, including lr.")
      .def("describe", &numpy_optimizer::describe, "A table with the chain, state and bytes of each parameter.")
      .def_property_readonly("steps", &numpy_optimizer::steps, "The number of steps taken.")
      .def_property("lr", &numpy_optimizer::lr, &numpy_optimizer::set_lr, "The base learning rate.")
      .def("set", &numpy_optimizer::set, py::arg("name"), py::arg("value"),
           "Sets an option ('weight_decay') or a transform's field ('scale_by_adam.beta2') from the next step on. If several "
           "transforms have this name, it sets all of them; 'scale_by_adam#2.beta2' sets the second. A checkpoint stores "
           "the value.")
      .def("get", &numpy_optimizer::get, py::arg("name"), "The current value of an option or field, by its name.")
      .def("scale_rows", &numpy_optimizer::scale_rows, py::arg("name"), py::arg("by"),
           "Multiplies the rows of a matrix, and those of what the optimizer keeps as a copy of it (z, averages). 'by': one "
           "number for each block of equally many rows. For QK-clip numpy.minimum(1, 100 / largest_logits) ** 0.5.")
      .def_property_readonly("chain", &numpy_optimizer::chain, "The Chain.")
      .def("__repr__", &numpy_optimizer::repr);
}
