#include "engine.hpp"

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <type_traits>
#include <utility>

#include <thalweg/core/error.hpp>
#include <thalweg/core/optimizer_class.hpp>
#include <thalweg/core/scalar.hpp>

#include "binding.hpp"
#include "views.hpp"

namespace thalweg {

namespace detail {

// ---- binding --------------------------------------------------------------------------------------

template <class T>
engine<T>::engine(program<T> p, std::vector<parameter<T>> parameters, const options& o, const device_maker<T>& make_device)
    : options_(o), settings_(o, p.transforms.size()) {
  check_fields("optimizer", options_);
  if (!std::is_same_v<T, float> && options_.state != state_in::same)
    throw error("optimizer", "Expected state=same, for training in double. Received ", options_.state, ".");
  for (const auto& t : p.transforms)
    if (const auto& info = *t.info; t.state && (!std::is_same_v<T, float> || !has_kernel(info.is.what) || info.is.arrays == 0))
      throw error(info.name, "Expected parameters trained in float, and an element-wise transform, for `stored`. Received ",
                  std::is_same_v<T, float> ? "a transform without such state." : "training in double.");
  for (const auto& t : p.transforms) t.code->check_fields();

  bound_program<T> bound{.what = std::move(p), .members = {}, .clocks = {}};
  storage<T> store;
  bind(bound, parameters, store);
  std::size_t most_scalars = 0;
  for (std::size_t i = 0; i < bound.what.paths.size(); ++i) {
    const path<T>& way = bound.what.paths[i];
    bound.clocks.push_back({.path = i, .prepared = prepared_path<T>(bound.what.transforms, way)});
    auto& scalars = now_.emplace_back().scalars;
    for (const std::size_t t : way.transforms)
      for (std::size_t s = 0; s < bound.what.info(t).is.scalars; ++s) scalars.push_back(bound.what.info(t).initial(s));
    most_scalars = std::max(most_scalars, scalars.size());
  }
  next_ = now_;
  spare_scalars_.resize(most_scalars);
  gathered_.resize(store.parameters.size());
  read_.resize(store.parameters.size());

  device_ = make_device(std::move(bound));
  processes_ = dynamic_cast<processes*>(device_.get());
  device_->store = std::move(store);
  prepare({.loss = 1});  // whatever `at` refuses, it refuses here
  device_->bind(options_);
  together("bind", [this] { gradients_ = given_gradients<T>(device_->store); });  // the device may lay parts out anew
}

namespace {

/// How an array of a transform is stored.
template <class T>
number_type state_type(const any_transform<T>& t, const slot& s, state_in by_options) {
  // A gate gathers the gradient itself.
  const bool may_differ = has_kernel(t.info->is.what) && s.of_its_shape && (t.state || (!s.holds_weights && !t.info->is.gates));
  switch (may_differ ? t.state.value_or(by_options) : state_in::same) {
    case state_in::bfloat16: return number_type::bfloat16;
    case state_in::eight_bits: return number_type::eight_bits;
    case state_in::float32: return number_type::float32;
    case state_in::same: break;
  }
  return type_of<T>;
}

/// The data that all parameters of one path share.
struct path_key {
  std::size_t way;
  double lr_factor, weight_decay_factor;
  auto operator<=>(const path_key&) const = default;
};

}  // namespace

template <class T>
void engine<T>::bind(bound_program<T>& bound, std::vector<parameter<T>>& given, storage<T>& store) const {
  std::vector<parameter_info> infos;
  std::vector<given_memory> data;
  for (auto& p : given) {
    infos.push_back({std::move(p.name), std::move(p.shape), p.role, p.order, p.lr_factor, p.weight_decay_factor});
    data.push_back({p.data.data(), bytes_of(p.data.type())});
  }
  check_text(bound.what.text);
  check_parameters(infos, data);

  const program<T>& what = bound.what;
  std::vector<path_key> of_each;
  std::vector<parameter_part> parts;
  std::vector<given_memory> begins;  // of the whole of each part
  for (std::size_t i = 0; i < infos.size(); ++i) {
    auto parts_here = parts_of(infos[i], given[i].view.parts());
    whole_parameter whole{.name = infos[i].name, .shape = infos[i].shape, .first = parts.size(),
                          .extent = extent_of(parts_here)};
    for (parameter_part& p : parts_here) {
      of_each.push_back({what.select(p.info), p.info.lr_factor, p.info.weight_decay_factor});
      begins.push_back(data[i]);
      parts.push_back(std::move(p));
    }
    whole.last = parts.size();
    store.wholes.push_back(std::move(whole));
  }
  check_parts(parts, begins);

  std::vector<path_key> keys = of_each;
  std::ranges::sort(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::vector<path<T>> paths;
  for (const auto& key : keys) paths.push_back(what.paths[key.way]);
  bound.what.paths = std::move(paths);
  bound.members.resize(keys.size());

  std::size_t copied = 0;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (parts[i].lines > 1) copied += padded<std::byte>(parts[i].lines * parts[i].length * begins[i].bytes);
  store.copies = allocate<std::byte>(copied);
  std::byte* copy = store.copies.get();
  std::size_t whole = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    while (i == store.wholes[whole].last) ++whole;
    const parameter_part& from = parts[i];
    bound_parameter<T> p{.info = from.info, .whole = whole, .offset = from.offset};
    p.size = p.info.size();
    const std::size_t bytes = begins[i].bytes;
    p.values = {static_cast<std::byte*>(begins[i].data) + from.offset * bytes, given[whole].data.type()};
    if (from.lines > 1) {
      p.lies_in = lines{p.values.data, from.lines, from.length * bytes, from.stride * bytes};
      p.values.data = std::exchange(copy, copy + padded<std::byte>(p.bytes()));
    }
    p.data = p.values.template as<T>();
    p.is_mixed = !p.data;
    p.path = static_cast<std::size_t>(std::ranges::lower_bound(keys, of_each[i]) - keys.begin());
    p.clock = p.path;
    bound.members[p.path].push_back(i);
    const auto& way = what.paths[p.path].transforms;
    for (const std::size_t t : way) what.info(t).check(p.info);
    for (const std::size_t t : way) {
      std::size_t array = 0;
      for (const slot& s : what.info(t).slots)
        if (s.what == slot_kind::array) {
          p.add_state(what.info(t).name, s.name, what.info(t).shape(array++, p.info), s.of_its_shape,
                      state_type<T>(what.transforms[t], s, options_.state));
          if (p.state_types.back() == number_type::eight_bits && p.info.order == storage_order::column_major)
            throw error("optimizer", "Expected a row-major parameter, for state in eight_bits. Received ", in_quotes(p.info.name),
                        ", which is column-major.");
          check_state(p.state_names.back(), p.state_shapes.back(), p.info, sizeof(T));
        }
    }
    p.averaged = what.info(way.back()).is.averages;
    store.parameters.push_back(std::move(p));
  }
  store.gather();
}

template <class T>
void engine<T>::set(std::string_view where, std::string_view name, double value) {
  settings_.set(where, what().transforms, name, value);
  options_.lr = settings_.values().lr;
}

// ---- stepping -------------------------------------------------------------------------------------

template <class T>
std::string engine<T>::where_it_stands(std::string_view call) const {
  std::string text = in_words(call, " after ", calls_, " calls, ", settings_.values());
  for (const auto& [name, value] : settings_.changed()) text += in_words(", ", name, "=", value);
  return text;
}

template <class T>
void engine<T>::take_gradient(std::size_t i, const gradient_view& g) {
  try {
    gradients_.take(i, g);
  } catch (...) {
    if (processes_) processes_->agree(where_it_stands("step"), std::current_exception());
    throw;
  }
}

template <class T>
void engine<T>::check_loss_is_there(const step_inputs& given) const {
  for (std::size_t p = 0; p < what().paths.size(); ++p)
    for (const std::size_t t : what().paths[p].transforms)
      if (what().info(t).is.reads_loss) check_loss(what().info(t).name, given);
}

template <class T>
double engine<T>::prepare(const step_inputs& inputs, std::optional<long> gathered) {
  const options& o = settings_.values();
  const long step = steps_ + 1;
  const double warm = o.warmup_steps > 0 ? std::min(1.0, double(step) / double(o.warmup_steps)) : 1.0;
  const context at_begin{.step = step,
                         .lr = o.lr * warm,
                         .weight_decay = o.weight_decay,
                         .warmup_steps = o.warmup_steps,
                         .gathered = gathered,
                         .loss = inputs.loss};
  double largest_lr = 0;
  ends_.resize(now_.size());
  for (std::size_t i = 0; i < now_.size(); ++i) {
    const clock<T>& timed = device_->bound.clocks[i];
    const path<T>& way = what().paths[timed.path];
    const clock_numbers& now = now_[i];
    clock_numbers& next = next_[i];
    std::ranges::copy(now.scalars, next.scalars.begin());
    std::ranges::copy(now.scalars, spare_scalars_.begin());
    next.weights = now.weights;
    next.steps = now.steps + timed.runs;
    const auto pass_on = [&](std::size_t position, const context& c, double* scalars) {
      return what().code(way.transforms[position])
          .prepare(c, scalars + way.first_scalar[position], timed.prepared.at[position],
                   settings_.of(way.transforms[position]));
    };

    // The lr at the end of the path, without the parameters' factor: the factor has no weight in an average. Only the
    // contextual transforms run here. They also run if the parameters do not change.
    context last = at_begin;
    if (!timed.runs) last.average_weight = now.weights.share_of_none();
    for (std::size_t k = 0; k < way.positions(); ++k)
      if (way.kinds[k] == kind::contextual)
        last = pass_on(k, last, timed.runs ? spare_scalars_.data() : next.scalars.data());
    const parameter_info& of = one_of(timed.path);
    const double lr = last.lr * of.lr_factor, decay = lr * last.weight_decay * of.weight_decay_factor;
    if (!is_finite(last.lr))
      throw error("step", "Expected schedules that leave lr finite. Received ", last.lr, ".");
    if (!is_finite(lr) || !is_finite(decay))
      throw error("step", "Expected a finite lr and a finite lr·weight_decay for ", in_quotes(of.name), ". Received ", lr,
                  " and ", decay, ".");
    largest_lr = std::max(largest_lr, last.lr);
    if (!timed.runs) continue;
    const bool averages = what().info(way.transforms[way.last()]).is.averages;

    context c = at_begin;
    c.average_weight = next.weights.add(next.steps, last, o, averages);
    c.lr *= of.lr_factor;
    c.weight_decay *= of.weight_decay_factor;
    for (std::size_t k = 0; k < way.positions(); ++k) {
      const bool schedules = way.kinds[k] == kind::contextual;
      c.step = schedules ? step : next.steps;
      c.schedule_step = schedules ? std::nullopt : std::optional(step);
      c = pass_on(k, c, next.scalars.data());
    }
    ends_[i] = {.lr = c.lr, .beta = c.heard<interpolation_beta>()};
    if (averages) ends_[i].average_weight = c.average_weight;
  }
  return largest_lr;
}

template <class T>
struct engine<T>::shared_clocks {
  std::vector<clock<T>> clocks;
  std::vector<clock_numbers> now, next;
  std::vector<std::size_t> of_parameter;
};

template <class T>
typename engine<T>::shared_clocks engine<T>::clocks_by(const std::vector<std::size_t>& key) const {
  shared_clocks to;
  std::map<std::size_t, std::size_t> numbers;
  to.of_parameter.resize(key.size());
  for (std::size_t p = 0; p < what().paths.size(); ++p)
    for (const std::size_t i : device_->bound.members[p]) {
      const auto [found, is_new] = numbers.emplace(key[i], to.now.size());
      to.of_parameter[i] = found->second;
      if (!is_new) continue;
      to.clocks.push_back({.path = p, .prepared = prepared_path<T>(what().transforms, what().paths[p])});
      to.now.push_back(now_[store().parameters[i].clock]);
    }
  to.next = to.now;
  return to;
}

template <class T>
void engine<T>::share(shared_clocks by) noexcept {
  for (std::size_t i = 0; i < by.of_parameter.size(); ++i) device_->store.parameters[i].clock = by.of_parameter[i];
  device_->bound.clocks = std::move(by.clocks);
  now_ = std::move(by.now);
  next_ = std::move(by.next);
}

template <class T>
std::size_t engine<T>::start_clocks(bool gathers) {
  const auto& parameters = store().parameters;
  auto& clocks = device_->bound.clocks;
  for (auto& c : clocks) c.runs = true;
  const auto given = given_;
  read_.assign(given.begin(), given.end());
  if (std::ranges::find(given, nullptr, &stored_array::data) == given.end()) return 0;

  std::size_t still = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i].data) continue;
    const T* const zeros = device_->zeros(i);
    if (gathers || gathered_[i]) read_[i] = {const_cast<T*>(zeros), type_of<T>};  // is only read: the step has other gradients of it
    else ++still;
  }
  if (still == 0) return 0;
  std::vector<std::size_t> key;
  std::set<std::size_t> distinct;
  for (std::size_t i = 0; i < given.size(); ++i) {
    key.push_back(2 * parameters[i].clock + (read_[i].data ? 1 : 0));
    distinct.insert(key.back());
  }
  if (distinct.size() > clocks.size()) share(clocks_by(key));
  for (std::size_t i = 0; i < given.size(); ++i) clocks[parameters[i].clock].runs = read_[i].data;
  return still;
}

template <class T>
step_report engine<T>::step(std::size_t gradient_count, const step_inputs& own) {
  together("step", [&] { gradients_.check_count(gradient_count); });
  step_inputs given = own;
  given_ = processes_ ? processes_->mean(gradients_.all(), given) : gradients_.all();
  if (what().may_stop() && !has_finite_loss(given)) return skip({});
  const bool gathers = what().has_gate() && !what().info(what().gate).opens(calls_ + 1);
  gathered_losses losses = losses_;  // of all the calls that a gate makes one step of
  std::size_t still = 0;
  double lr = 0;
  together("step", [&] {
    check_loss_is_there(given);
    still = start_clocks(gathers);
    lr = prepare(losses.take(given));
    device_->begin_step(read_, calls_ + 1, given.measure);
  });

  std::size_t first = 0;
  if (what().may_stop()) {  // nothing is written before
    device_->run_phase(first++);
    if (!what().info(what().stop).proceeds(device_->sums(what().stop).front()))
      return skip(device_->stopped_by());
  }
  if (gathers) {
    device_->absorb(calls_ + 1);
    skipped_ = 0;
    for (std::size_t i = 0; i < gathered_.size(); ++i) gathered_[i] = gathered_[i] || given_[i].data;
    ++calls_;
    losses_ = losses;
    return {.taken = false};
  }
  const auto report = take_step(first, lr, still, given.measure);
  skipped_ = 0;
  ++calls_;
  return report;
}

template <class T>
step_report engine<T>::skip(std::optional<std::size_t> part) {
  const transform_info& stop = what().info(what().stop);
  const std::string_view name = name_of_whole(part);
  if (const auto limit = stop.limit()) {
    if (skipped_ >= *limit)
      throw error(stop.name, "Expected at most ", *limit, " skipped steps in a row. Received one more",
                  name.empty() ? "" : in_words(", because of the gradient of ", in_quotes(name)), ".");
    ++skipped_;
  }
  return {.taken = false, .parameter = name};
}

template <class T>
step_report engine<T>::take_step(std::size_t first_phase, double lr, std::size_t still, measure asked) {
  device_->run_phases(first_phase);
  learn_scalars();
  std::swap(now_, next_);
  ++steps_;
  losses_ = {};
  gathered_.assign(gathered_.size(), false);
  step_report report{.lr = lr, .without_gradient = still};
  if (what().has_norm())
    if (const auto squares = device_->known_sum(what().norm)) report.gradient_norm = std::sqrt(*squares);
  if (asked == measure::norms) report.parameters = measured();
  return report;
}

template <class T>
void engine<T>::learn_scalars() {
  share_scalars(device_->bound.clocks, next_, [&](std::size_t c, std::size_t transform, std::size_t position, double* scalars) {
    const clock<T>& timed = device_->bound.clocks[c];
    if (timed.runs) what().code(transform).learn(timed.prepared.at[position], device_->sums(transform).data(), scalars);
    return timed.runs;
  });
}

template <class T>
template <class F>
void engine<T>::share_scalars(const std::vector<clock<T>>& clocks, std::vector<clock_numbers>& numbers, F knows) const {
  for (const std::size_t t : what().phases) {
    const traits& is = what().info(t).is;
    if (is.what != kind::modelwise || is.scalars == 0) continue;
    const double* known = nullptr;
    for (const bool finds : {true, false})
      for (std::size_t c = 0; c < clocks.size(); ++c) {
        const path<T>& way = what().paths[clocks[c].path];
        if (!way.contains(t)) continue;
        const std::size_t position = way.position_of(t);
        double* const own = numbers[c].scalars.data() + way.first_scalar[position];
        if (!finds && known && own != known) std::copy_n(known, is.scalars, own);
        else if (finds && !known && knows(c, t, position, own)) known = own;
      }
  }
}

template <class T>
long engine<T>::calls_gathered() const {
  long count = 0;
  if (what().has_gate())
    while (!what().info(what().gate).opens(calls_ - count)) ++count;
  return count;
}

template <class T>
long engine<T>::next_window() const {
  long calls = calls_;
  if (what().has_gate())
    while (!what().info(what().gate).opens(calls)) ++calls;
  return calls;
}

template <class T>
step_report engine<T>::flush() {
  const long gathered = calls_gathered();
  std::size_t still = 0;
  double lr = 0;
  together("flush", [&] {
    if (gathered == 0) return;
    for (std::size_t i = 0; i < store().wholes.size(); ++i) gradients_.take(i, {});
    gradients_.check_count(store().wholes.size());
    given_ = gradients_.all();
    still = start_clocks(false);
    lr = prepare(losses_.mean(), gathered);
    device_->begin_step(read_, calls_ + 1, measure::nothing);
  });
  if (gathered == 0) return {.taken = false};
  // No transform has stopped the step because of these gradients.
  const auto report = take_step(what().may_stop() ? 1 : 0, lr, still, measure::nothing);
  calls_ = next_window();
  return report;
}

template <class T>
void engine<T>::drop() {
  device_->check_usable();
  calls_ = next_window();
  losses_ = {};
  gathered_.assign(gathered_.size(), false);
}

template <class T>
std::span<const parameter_report> engine<T>::measured() {
  measured_.clear();
  for (std::size_t i = 0; i < store().parameters.size(); ++i) {
    const auto& p = store().parameters[i];
    if (!device_->bound.clocks[p.clock].runs) continue;
    const measured_sums sums = device_->measured(i);
    parameter_report one = ends_[p.clock];
    one.name = p.info.name;
    one.gradient_norm = std::sqrt(sums.gradient);
    one.update_norm = std::sqrt(sums.update);
    one.parameter_norm = std::sqrt(sums.parameter);
    one.largest_gradient = sums.largest_gradient;
    measured_.push_back(one);
  }
  return measured_;
}

// ---- scaling --------------------------------------------------------------------------------------

template <class T>
void engine<T>::scale_rows(std::string_view name, std::span<const double> by) {
  std::size_t i = 0, rows = 0;
  together("scale_rows", [&] {
    const auto& all = store().parameters;
    while (i < all.size() && all[i].info.name != name) ++i;
    if (i == all.size()) {
      std::string known;
      for (const auto& p : all) known += in_words(known.empty() ? "" : ", ", p.info.name);
      throw error("scale_rows", "Expected one of ", known, ". Received ", in_quotes(name), ".");
    }
    const parameter_info& p = all[i].info;
    if (by.empty() || p.rows() % by.size() != 0)
      throw error("scale_rows", "Expected a count of numbers that divides the ", p.rows(), " rows of ", in_quotes(name),
                  " into equal blocks. Received ", by.size(), ".");
    for (const double x : by)
      if (!positive.contains(x)) throw error("scale_rows", "Expected numbers in (0, inf). Received ", x, ".");
    if (processes_) throw error("scale_rows", "Expected an optimizer of one process. Received one that steps over MPI.");
    if (store().at_evaluation_point)
      throw error("scale_rows", "Expected the parameters at y. Received a call while an evaluation point is active.");
    rows = p.rows() / by.size();
  });
  device_->scale_rows(i, by, rows, calls_);
}

// ---- evaluating -----------------------------------------------------------------------------------

template <class T>
average_of<T> engine<T>::average_by(std::size_t clock) const {
  const auto& way = path_of(clock);
  const std::size_t last = way.last();
  return {&what().code(way.transforms[last]), now_[clock].scalars.data() + way.first_scalar[last], way.first_array[last]};
}

template <class T>
void engine<T>::check_average(std::size_t clock) const {
  if (now_[clock].steps == 0) return;  // x is y
  const auto by = average_by(clock);
  by.code->average(by.scalars, 0, {});
}

template <class T>
void engine<T>::average_into(std::size_t i, T* out) const {
  const auto& p = store().parameters[i];
  if (p.averaged && now_[p.clock].steps > 0) device_->average(i, average_by(p.clock), out);
  else if (out != p.data) device_->copy_parameter(i, out);
}

template <class T>
evaluation_guard<T> engine<T>::evaluation_point() {
  together("evaluation_point", [&] {
    for (std::size_t c = 0; c < now_.size(); ++c) check_average(c);
    if (store().at_evaluation_point)
      throw error("evaluation_point", "Expected the parameters at y. Received a second evaluation point while one is active.");
  });
  device_->hold_back([this](std::size_t i, T* out) { average_into(i, out); });
  return evaluation_guard<T>(device_);
}

template <class T>
void engine<T>::averaged(std::size_t i, std::span<T> out) const {
  together("averaged", [&] {
    gradients_.check_room(i, out);
    device_->check_room(i, out.data());
    for (std::size_t n = store().wholes[i].first; n < store().wholes[i].last; ++n) check_average(store().parameters[n].clock);
  });
  const whole_parameter& whole = store().wholes[i];
  store().gather();
  std::vector<T> copy;
  for (std::size_t n = whole.first; n < whole.last; ++n) {
    const auto& p = store().parameters[n];
    if (p.lies_in) copy.resize(p.size);
    T* const x = p.lies_in ? copy.data() : out.data() + p.offset;
    if (store().at_evaluation_point) device_->copy_parameter(n, x);
    else average_into(n, x);
    if (!p.lies_in) continue;
    in_bytes(p, sizeof(T), out.data() + p.offset).copy_from(x);
  }
}

// ---- saving and loading ---------------------------------------------------------------------------

template <class T>
progress engine<T>::progress_now() const {
  progress now{.chain = what().text,
               .settings = options_,
               .changed = settings_.changed(),
               .steps = steps_,
               .calls = calls_,
               .losses = losses_,
               .skipped = skipped_};
  for (std::size_t c = 0; c < now_.size(); ++c) {
    auto& route = now.routes.emplace_back(progress::route{.numbers = now_[c]});
    for (const std::size_t t : path_of(c).transforms)
      for (const slot& s : what().info(t).slots)
        if (s.what == slot_kind::scalar) route.names.push_back(state_name(route.names, what().info(t).name, s.name));
  }
  if (gathers_now()) now.gathered = gathered_;
  return now;
}

template <class T>
void engine<T>::save(const write_bytes& write) const {
  device_->save(write, progress_now(), [this](std::size_t i, T* out) { average_into(i, out); });
}

template <class T>
load_report engine<T>::load(const readable_bytes& from, const load_policy& policy) {
  if (policy.parameters == parameter_match::partial && calls_ > 0)
    throw error("load", "Expected an optimizer that has taken no step, for a part of a checkpoint. Received one after ", steps_,
                " steps. Make a new one.");
  shared_clocks by;
  const bool keeps = policy.settings == setting_match::keep;
  settings<T> saved = keeps ? settings_ : settings<T>(options_, what().transforms.size());
  const auto loaded = device_->load(from, progress_now(), policy, [&](const loaded_progress& read) {  // before a write
    saved.set("load", what().transforms, "lr", read.now.settings.lr);
    for (const auto& [name, value] : read.now.changed) saved.set("load", what().transforms, name, value);
    std::vector<std::size_t> key;
    for (std::size_t i = 0; i < read.routes.size(); ++i)
      key.push_back(read.routes[i].value_or(read.now.routes.size() + store().parameters[i].clock));
    by = clocks_by(key);
    for (std::size_t i = 0; i < key.size(); ++i)
      if (read.routes[i]) by.now[by.of_parameter[i]] = read.now.routes[*read.routes[i]].numbers;
    std::vector<bool> is_read(by.now.size());
    for (std::size_t i = 0; i < key.size(); ++i)
      if (read.routes[i]) is_read[by.of_parameter[i]] = true;
    share_scalars(by.clocks, by.now, [&](std::size_t c, auto&&...) { return is_read[c]; });
    if (by.now.size() == now_.size()) return;
    for (std::size_t i = 0; i < key.size(); ++i) device_->zeros(i);  // throws where none may stand still
  });
  share(std::move(by));
  settings_ = std::move(saved);
  options_.lr = settings_.values().lr;
  steps_ = loaded.now.steps;
  calls_ = loaded.now.calls;
  losses_ = loaded.now.losses;
  skipped_ = loaded.now.skipped;
  gathered_ = loaded.now.gathered;
  if (keeps) drop();  // windows may be of another length here
  if (!gathers_now()) gathered_.assign(gathered_.size(), false);
  return loaded.report;
}

// ---- describing -----------------------------------------------------------------------------------

template <class T>
std::string engine<T>::weights_in_words() const {
  return in_words(store().has_sixteen_bit_parameters() ? in_words(", weights ", options_.weights) : "", options_.seed ? in_words(", seed=", options_.seed) : "");
}

template <class T>
std::string engine<T>::describe() const {
  device_->check_usable();
  description d;
  device_->describe(d);
  d.header = in_words(std::is_same_v<T, float> ? "float32" : "float64", ", step ", steps_, ", ", settings_.values(),
                      options_.state == state_in::same ? "" : in_words(", state in ", options_.state), weights_in_words(),
                      d.header.empty() ? "" : ", ", d.header);
  std::vector<std::string> names(now_.size());
  for (std::size_t c = 0; c < now_.size(); ++c) {
    description::path entry;
    const double* next = now_[c].scalars.data();
    const std::size_t p = device_->bound.clocks[c].path;
    const auto& way = what().paths[p];
    for (std::size_t k = 0; k < way.positions(); ++k) {
      const transform_info& t = what().info(way.transforms[k]);
      names[c] += in_words(names[c].empty() ? "" : " | ", t.name);
      entry.chain += in_words(entry.chain.empty() ? "" : " | ", t.text());
      if (const std::string by = device_->computed_by(p, k); !by.empty())
        entry.computed_by.push_back(in_words(t.name, " by ", by));
      if (const auto fields = settings_.of(way.transforms[k]); !fields.empty()) {
        std::string set;
        for (const number_field& number : t.numbers())
          for (const field_value_now& field : fields)
            if (field.field == number.field) set += in_words(set.empty() ? "" : ", ", number.name, "=", field.value);
        entry.remarks.push_back(in_words(t.name, ": set to ", set));
      }
      if (!t.remark().empty()) entry.remarks.push_back(in_words(t.name, ": ", t.remark()));
      for (const slot& s : t.slots)
        if (s.what == slot_kind::scalar) entry.scalars.push_back(in_words(t.name, ".", s.name, "=", *next++));
    }
    const auto add = [&](std::string_view name, auto value) {
      const std::string text = in_words(", ", name, "=", value);
      names[c] += text;
      entry.chain += text;
    };
    for_each_field<parameter_info>([&](const auto& factor) {
      if (const double value = one_of(p).*factor.member; value != 1) add(factor.name, value);
    });
    if (now_[c].steps != steps_) add("steps", now_[c].steps);
    d.paths.push_back(std::move(entry));
  }
  for (const auto& p : store().parameters) d.add(p, names[p.clock]);
  return table(d);
}

template class engine<float>;
template class engine<double>;

}  // namespace detail

// ---- what the user holds ---------------------------------------------------------------------------

template <class T>
evaluation_guard<T>::~evaluation_guard() {
  if (at_x_) at_x_->put_back();
}
template class evaluation_guard<float>;
template class evaluation_guard<double>;

namespace {
template <class Engine>
auto& bound(const char* asked, const std::unique_ptr<Engine>& engine) {
  if (!engine) throw error(asked, "Expected an optimizer with parameters. Received an empty one.");
  return *engine;
}
}  // namespace

template <class T>
optimizer<T>::optimizer() noexcept = default;
template <class T>
optimizer<T>::optimizer(optimizer&&) noexcept = default;
template <class T>
optimizer<T>& optimizer<T>::operator=(optimizer&&) noexcept = default;
template <class T>
optimizer<T>::~optimizer() = default;

template <class T>
optimizer<T>::optimizer(detail::program<T> p, std::vector<parameter<T>> parameters, const options& o)
    : optimizer(std::move(p), std::move(parameters), o, &detail::make_host<T>) {}
template <class T>
optimizer<T>::optimizer(detail::program<T> p, std::vector<parameter<T>> parameters, const options& o,
                        const detail::device_maker<T>& make_device)
    : engine_(std::make_unique<detail::engine<T>>(std::move(p), std::move(parameters), o, make_device)) {}

template <class T>
void optimizer<T>::take_gradient(std::size_t i, const gradient_view& g) {
  bound("step", engine_).take_gradient(i, g);
}
template <class T>
step_report optimizer<T>::take_step(std::size_t gradient_count, const step_inputs& inputs) {
  return bound("step", engine_).step(gradient_count, inputs);
}
template <class T>
step_report optimizer<T>::flush() {
  return bound("flush", engine_).flush();
}
template <class T>
void optimizer<T>::drop() {
  bound("drop", engine_).drop();
}
template <class T>
evaluation_guard<T> optimizer<T>::evaluation_point() {
  return bound("evaluation_point", engine_).evaluation_point();
}
template <class T>
void optimizer<T>::averaged(std::size_t i, std::span<T> out) const {
  bound("averaged", engine_).averaged(i, out);
}
template <class T>
long optimizer<T>::steps() const {
  return bound("steps", engine_).steps();
}
template <class T>
double optimizer<T>::lr() const {
  return bound("lr", engine_).get("lr");
}
template <class T>
void optimizer<T>::lr(double lr) {
  bound("lr", engine_).set("optimizer", "lr", lr);
}
template <class T>
void optimizer<T>::set(std::string_view name, double value) {
  bound("set", engine_).set("set", name, value);
}
template <class T>
double optimizer<T>::get(std::string_view name) const {
  return bound("get", engine_).get(name);
}
template <class T>
void optimizer<T>::scale_rows(std::string_view name, std::span<const double> by) {
  bound("scale_rows", engine_).scale_rows(name, by);
}
template <class T>
void optimizer<T>::save(const std::string& path) const {
  const auto& from = bound("save", engine_);
  from.together("save", [] {});  // before processes send their states: all of them save
  from.together("save", [&] { detail::replace_file(path, [&](const detail::write_bytes& write) { from.save(write); }); });
}
template <class T>
load_report optimizer<T>::load(const std::string& path, const load_policy& policy) {
  auto& to = bound("load", engine_);
  return to.load(to.together("load", [&] { return detail::bytes_of_file(path); }), policy);
}
template <class T>
std::string optimizer<T>::to_bytes() const {
  std::string all;
  const auto& from = bound("to_bytes", engine_);
  from.together("to_bytes", [] {});
  from.together("to_bytes", [&] {
    from.save([&](std::span<const std::byte> piece, std::size_t left) {
      all.reserve(all.size() + piece.size() + left);
      all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    });
  });
  return all;
}
template <class T>
load_report optimizer<T>::load_bytes(std::string_view bytes, const load_policy& policy) {
  const auto read = [bytes](std::size_t from, std::span<std::byte> to) {
    std::memcpy(to.data(), bytes.data() + from, to.size());
  };
  auto& to = bound("load_bytes", engine_);
  to.together("load_bytes", [] {});
  return to.load({"bytes", bytes.size(), read}, policy);
}
template <class T>
std::string optimizer<T>::describe() const {
  return bound("describe", engine_).describe();
}

template class optimizer<float>;
template class optimizer<double>;

}  // namespace thalweg
