#include <thalweg/thalweg.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <thalweg/core/data_of_type.hpp>
#include <thalweg/text.hpp>

#include "../engine/views.hpp"
#include "status.hpp"
#include "version.hpp"

namespace thalweg::c {

template <class T>
struct trainer {
  thalweg::optimizer<T> optimizer;
  std::vector<number_type> gradient_types;
  std::vector<gradient_view> gradients;  ///< of the latest step
  std::vector<std::size_t> sizes{};      ///< of the parameters
  std::optional<evaluation_guard<T>> at_x{};
};

}  // namespace thalweg::c

struct thalweg_optimizer {
  std::vector<std::string> names;  ///< of the parameters
  std::variant<thalweg::c::trainer<float>, thalweg::c::trainer<double>> trainer;
};

namespace thalweg::c {

namespace {

template <class Pointed>
Pointed& given(const char* where, const char* what, Pointed* pointer) {
  if (!pointer) throw error(where, "Expected ", what, ". Received null.");
  return *pointer;
}

template <class Optimizer>
auto& trainer_of(const char* where, Optimizer* optimizer) {
  return given(where, "an optimizer", optimizer).trainer;
}

/// The value that a constant of the interface names. `whose`: ` for 'bias'`.
template <class Value, std::size_t N>
Value meant(const char* what, int constant, const std::array<Value, N>& values, const std::string& whose = "") {
  if (constant < 0 || static_cast<std::size_t>(constant) >= N)
    throw error("create", "Expected ", what, " from 0 to ", N - 1, whose, ". Received ", constant, ".");
  return values[static_cast<std::size_t>(constant)];
}

number_type type_from(thalweg_dtype dtype, const std::string& whose = "") {
  return meant("a dtype", dtype,
               std::array{number_type::float32, number_type::float64, number_type::bfloat16, number_type::float16}, whose);
}

template <class Whole>
Whole whole_number(const char* name, std::int64_t number) {
  if (number < 0 || !std::in_range<Whole>(number))
    throw error("create", "Expected ", name, " in [0, ", std::numeric_limits<Whole>::max(), "]. Received ", number,
                ".");
  return static_cast<Whole>(number);
}

void check_aligned(const char* where, const std::string& parameter, const void* data, number_type type) {
  if (reinterpret_cast<std::uintptr_t>(data) % detail::bytes_of(type))
    throw error(where, "Expected an array aligned to its element type for ", in_quotes(parameter), ". Received one that is not.");
}

template <class T>
void check_at_y(const char* where, const trainer<T>& by) {
  if (by.at_x)
    throw error(where, "Expected the parameters at y. Received them at x: call thalweg_end_evaluation first.");
}

/// Refuses a struct of a size that no interface has had. `before`: its sizes before it grew.
template <class Struct>
void check_size(const char* where, const char* began_as, const Struct& said, std::initializer_list<std::size_t> before = {}) {
  if (said.size != sizeof said && std::ranges::find(before, said.size) == before.end())
    throw error(where, "Expected a struct that began as ", began_as, ", of size ", sizeof said,
                " in the interface of this library. Received size ", said.size, ".");
}

options to_options(const thalweg_options& o) {
  const auto count = whole_number<std::size_t>("threads", o.threads);
  return {.lr = o.lr,
          .weight_decay = o.weight_decay,
          .warmup_steps = whole_number<long>("warmup_steps", o.warmup_steps),
          .weight_lr_power = o.weight_lr_power,
          .r = o.r,
          .state = meant("a state", o.state,
                         std::array{state_in::same, state_in::float32, state_in::bfloat16, state_in::eight_bits}),
          .weights = meant("weights", o.weights,
                           std::array{weights_in::exact, weights_in::nearest, weights_in::stochastic}),
          .seed = o.seed,
          .parallel = count ? threads(count) : threads()};
}

double factor_at(const double* factors, std::size_t parameter) { return factors ? factors[parameter] : 1; }

/// One type a parameter; `all` where none is given.
std::vector<number_type> types_from(const thalweg_dtype* given, std::vector<number_type> all) {
  for (std::size_t i = 0; given && i < all.size(); ++i) all[i] = type_from(given[i], in_words(" for parameter ", i));
  return all;
}

template <class T>
parameter<T> to_parameter(const thalweg_parameter& p, number_type type, double lr_factor, double weight_decay_factor,
                          const char* view) {
  const std::string name = p.name ? p.name : "";  // refused with all else that is wrong with parameters
  if (p.rank && !p.shape)
    throw error("create", "Expected a shape of ", p.rank, " dimensions for ", in_quotes(name), ". Received null.");
  const std::string whose = in_words(" for ", in_quotes(name));
  return {.name = name,
          .shape = {p.shape, p.shape + p.rank},
          .role = meant("a role", p.role, std::array{role::unspecified, role::hidden, role::embedding, role::head}, whose),
          .data = detail::data_of_type<T>("create", name, p.data, type),
          .order = meant("a storage order", p.order,
                         std::array{storage_order::row_major, storage_order::column_major}, whose),
          .lr_factor = lr_factor,
          .weight_decay_factor = weight_decay_factor,
          .view = view ? parse_view(view) : thalweg::view::list()};
}

template <class T>
std::unique_ptr<thalweg_optimizer> make(const char* chain, std::span<const thalweg_parameter> given,
                                        const std::vector<number_type>& types, const thalweg_options& o) {
  std::vector<parameter<T>> parameters;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < given.size(); ++i) {
    parameters.push_back(to_parameter<T>(given[i], types[i], factor_at(o.lr_factors, i),
                                         factor_at(o.weight_decay_factors, i), o.views ? o.views[i] : nullptr));
    names.push_back(parameters.back().name);
  }
  trainer<T> made{thalweg::optimizer<T>(chain, parameters, to_options(o)), types_from(o.gradient_dtypes, types),
                  std::vector<gradient_view>(parameters.size())};
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (!detail::reads<T>(made.gradient_types[i]))
      throw error("create", "Expected gradients of ", detail::what_is_read<T>, " for ", in_quotes(names[i]), ". Received ",
                  made.gradient_types[i], ".");
  for (const auto& p : parameters)  // their shapes and views have been checked
    made.sizes.push_back(detail::extent_of(detail::parts_of({.name = p.name, .shape = p.shape, .order = p.order},
                                                            p.view.parts())));
  return std::unique_ptr<thalweg_optimizer>(new thalweg_optimizer{std::move(names), std::move(made)});
}

template <class T>
step_report step(trainer<T>& by, const std::vector<std::string>& names, const void* const* gradients, std::size_t count,
                 const step_inputs& inputs) {
  check_at_y("step", by);
  if (count != by.gradients.size())
    throw error("step", "Expected ", by.gradients.size(), " gradients, one for each parameter. Received ", count, ".");
  for (std::size_t i = 0; i < count; ++i) {
    check_aligned("step", names[i], gradients[i], by.gradient_types[i]);
    by.gradients[i] = {gradients[i], gradients[i] ? by.sizes[i] : 0, by.gradient_types[i]};
  }
  return by.optimizer.step(by.gradients, inputs);
}

/// For thalweg_free.
char* copy_of(const std::string& text) {
  auto* const copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (!copy) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

}  // namespace

}  // namespace thalweg::c

using namespace thalweg;
using namespace thalweg::c;

int thalweg_interface() { return THALWEG_INTERFACE; }
const char* thalweg_version() { return THALWEG_VERSION; }

thalweg_status thalweg_create(const char* chain, thalweg_dtype dtype, const thalweg_parameter* parameters, size_t count,
                              const thalweg_options* options, thalweg_optimizer** optimizer) {
  return status_of([&] {
    const char* const text = &given("create", "a chain's text", chain);
    const std::span all(&given("create", "parameters", parameters), count);
    auto& to = given("create", "a place for the optimizer", optimizer);
    const number_type type = type_from(dtype);
    const thalweg_options defaults = thalweg_options_default();
    thalweg_options said = defaults;
    if (options) {
      check_size("create", "thalweg_options_default()", *options,
                 {offsetof(thalweg_options, views), offsetof(thalweg_options, dtypes)});
      std::memcpy(&said, options, options->size);
    }
    const auto types = types_from(said.dtypes, std::vector(count, type));
    const bool in_double = count && types[0] == number_type::float64;
    to = (in_double ? make<double>(text, all, types, said) : make<float>(text, all, types, said)).release();
  });
}

void thalweg_destroy(thalweg_optimizer* optimizer) { delete optimizer; }

static void check_report(const char* where, const thalweg_report* report) {
  if (report) check_size(where, "thalweg_report_default()", *report, {offsetof(thalweg_report, without_gradient)});
}

/// As much of the report as the program knows.
static void fill(thalweg_report* report, const step_report& became, const std::vector<std::string>& names) {
  if (!report) return;
  const auto culprit = std::ranges::find(names, became.parameter);
  const thalweg_report said{report->size,
                            became.taken,
                            became.gradient_norm.has_value(),
                            culprit == names.end() ? nullptr : culprit->c_str(),
                            became.lr,
                            became.gradient_norm.value_or(0),
                            became.without_gradient};
  std::memcpy(report, &said, said.size);
}

/// Gives the report to `read` as well, in C++.
template <class Read>
static thalweg_status step_and(thalweg_optimizer* optimizer, const void* const* gradients, size_t count, const double* loss,
                               measure what, thalweg_report* report, Read read) {
  return status_of([&] {
    auto& asked = trainer_of("step", optimizer);
    const auto* const arrays = &given("step", "gradients", gradients);
    check_report("step", report);
    step_inputs inputs{.measure = what};
    if (loss) inputs.loss = *loss;
    const auto became = std::visit([&](auto& by) { return step(by, optimizer->names, arrays, count, inputs); }, asked);
    fill(report, became, optimizer->names);
    read(became, std::visit([](const auto& by) { return by.optimizer.steps(); }, asked));
  });
}

thalweg_status thalweg_step(thalweg_optimizer* optimizer, const void* const* gradients, size_t count,
                            const double* loss, thalweg_report* report) {
  return step_and(optimizer, gradients, count, loss, measure::nothing, report, [](const step_report&, long) {});
}

thalweg_status thalweg_step_as_json(thalweg_optimizer* optimizer, const void* const* gradients, size_t count,
                                    const double* loss, thalweg_report* report, char** line) {
  if (const auto misused = status_of([&] { given("step", "a place for the line", line); })) return misused;
  return step_and(optimizer, gradients, count, loss, measure::norms, report,
                  [&](const step_report& became, long steps) {
    try {
      *line = copy_of(to_json(steps, became));
    } catch (const std::bad_alloc&) {  // the step is taken
      *line = nullptr;
    }
  });
}

thalweg_status thalweg_flush(thalweg_optimizer* optimizer, thalweg_report* report) {
  return status_of([&] {
    check_report("flush", report);
    const auto flush = [](auto& by) {
      check_at_y("flush", by);
      return by.optimizer.flush();
    };
    fill(report, std::visit(flush, trainer_of("flush", optimizer)), optimizer->names);
  });
}

thalweg_status thalweg_drop(thalweg_optimizer* optimizer) {
  return status_of([&] { std::visit([](auto& by) { by.optimizer.drop(); }, trainer_of("drop", optimizer)); });
}

thalweg_status thalweg_get_steps(const thalweg_optimizer* optimizer, int64_t* steps) {
  return status_of([&] {
    const auto& asked = trainer_of("get_steps", optimizer);
    given("get_steps", "a place for the steps", steps) =
        std::visit([](const auto& by) { return by.optimizer.steps(); }, asked);
  });
}

thalweg_status thalweg_get_lr(const thalweg_optimizer* optimizer, double* lr) {
  return status_of([&] {
    const auto& asked = trainer_of("get_lr", optimizer);
    given("get_lr", "a place for the lr", lr) = std::visit([](const auto& by) { return by.optimizer.lr(); }, asked);
  });
}

thalweg_status thalweg_set_lr(thalweg_optimizer* optimizer, double lr) {
  return status_of([&] { std::visit([&](auto& by) { by.optimizer.lr(lr); }, trainer_of("set_lr", optimizer)); });
}

thalweg_status thalweg_set(thalweg_optimizer* optimizer, const char* name, double value) {
  return status_of([&] {
    auto& asked = trainer_of("set", optimizer);
    const char* const what = &given("set", "a name", name);
    std::visit([&](auto& by) { by.optimizer.set(what, value); }, asked);
  });
}

thalweg_status thalweg_scale_rows(thalweg_optimizer* optimizer, const char* name, const double* by, size_t count) {
  return status_of([&] {
    auto& asked = trainer_of("scale_rows", optimizer);
    const char* const what = &given("scale_rows", "a name", name);
    const std::span factors(&given("scale_rows", "numbers", by), count);
    std::visit([&](auto& trainer) { trainer.optimizer.scale_rows(what, factors); }, asked);
  });
}

thalweg_status thalweg_get(const thalweg_optimizer* optimizer, const char* name, double* value) {
  return status_of([&] {
    const auto& asked = trainer_of("get", optimizer);
    const char* const what = &given("get", "a name", name);
    given("get", "a place for the value", value) =
        std::visit([&](const auto& by) { return by.optimizer.get(what); }, asked);
  });
}

thalweg_status thalweg_begin_evaluation(thalweg_optimizer* optimizer) {
  return status_of([&] {
    std::visit([](auto& by) {
      check_at_y("begin_evaluation", by);
      by.at_x.emplace(by.optimizer.evaluation_point());
    }, trainer_of("begin_evaluation", optimizer));
  });
}

thalweg_status thalweg_end_evaluation(thalweg_optimizer* optimizer) {
  return status_of([&] {
    std::visit([](auto& by) {
      if (!by.at_x)
        throw error("end_evaluation", "Expected the parameters at x. Received them at y: no evaluation has begun.");
      by.at_x.reset();
    }, trainer_of("end_evaluation", optimizer));
  });
}

thalweg_status thalweg_averaged(const thalweg_optimizer* optimizer, size_t parameter, void* out, size_t elements) {
  return status_of([&] {
    const auto& asked = trainer_of("averaged", optimizer);
    if (!out) throw error("averaged", "Expected room for x. Received null.");
    const auto& names = optimizer->names;
    std::visit([&]<class T>(const trainer<T>& by) {
      const std::string name = parameter < names.size() ? names[parameter] : "";  // else refused with the index
      check_aligned("averaged", name, out, detail::type_of<T>);
      by.optimizer.averaged(parameter, {static_cast<T*>(out), elements});
    }, asked);
  });
}

thalweg_status thalweg_save(const thalweg_optimizer* optimizer, const char* path) {
  const auto misused = status_of([&] {
    trainer_of("save", optimizer);
    given("save", "a path", path);
  });
  if (misused) return misused;
  const auto save = [&](const auto& by) { by.optimizer.save(path); };
  return status_of([&] { std::visit(save, optimizer->trainer); }, THALWEG_CHECKPOINT_REFUSED);
}

thalweg_status thalweg_load(thalweg_optimizer* optimizer, const char* path) {
  return thalweg_load_reporting(optimizer, path, nullptr);
}

static thalweg_status load(thalweg_optimizer* optimizer, const char* path, const load_policy& policy, load_report& report) {
  const auto misused = status_of([&] {
    std::visit([](const auto& by) { check_at_y("load", by); }, trainer_of("load", optimizer));
    given("load", "a path", path);
  });
  if (misused) return misused;
  const auto load = [&](auto& by) { report = by.optimizer.load(path, policy); };
  return status_of([&] { std::visit(load, optimizer->trainer); }, THALWEG_CHECKPOINT_REFUSED);
}

thalweg_status thalweg_load_reporting(thalweg_optimizer* optimizer, const char* path, thalweg_load_report* report) {
  if (report)
    if (const auto misused = status_of([&] { check_size("load", "thalweg_load_report_default()", *report); })) return misused;
  load_report became;
  const auto status = load(optimizer, path, {}, became);
  if (status == THALWEG_OK && report) *report = {sizeof *report, became.checked};
  return status;
}

thalweg_status thalweg_load_with(thalweg_optimizer* optimizer, const char* path, int policy, char** differences) {
  load_policy accepts;
  const auto misused = status_of([&] {
    if (policy < 0 || policy > (THALWEG_PARTIAL | THALWEG_KEEP_SETTINGS))
      throw error("load", "Expected a policy from 0 to ", THALWEG_PARTIAL | THALWEG_KEEP_SETTINGS, ". Received ", policy, ".");
    if (policy & THALWEG_PARTIAL) accepts.parameters = parameter_match::partial;
    if (policy & THALWEG_KEEP_SETTINGS) accepts.settings = setting_match::keep;
  });
  if (misused) return misused;
  load_report became;
  const auto status = load(optimizer, path, accepts, became);
  if (status != THALWEG_OK || !differences) return status;
  return status_of([&] {
    std::string lines;
    const auto add = [&](const char* what, const std::vector<std::string>& all) {
      for (const std::string& one : all) lines += in_words(what, " ", one, "\n");
    };
    add("added", became.added);
    add("reshaped", became.reshaped);
    add("missing", became.missing);
    add("changed", became.changed);
    *differences = copy_of(lines);
  });
}

thalweg_status thalweg_describe(const thalweg_optimizer* optimizer, char** text) {
  return status_of([&] {
    const auto& asked = trainer_of("describe", optimizer);
    auto& to = given("describe", "a place for the text", text);
    to = copy_of(std::visit([](const auto& by) { return by.optimizer.describe(); }, asked));
  });
}

thalweg_status thalweg_to_text(const char* chain, char** text) {
  return status_of([&] {
    const char* const read = &given("to_text", "a chain's text", chain);
    auto& to = given("to_text", "a place for the text", text);
    to = copy_of(to_text(parse(read)));
  });
}

void thalweg_free(char* text) { std::free(text); }
