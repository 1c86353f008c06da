#include "engine.hpp"

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include <thalweg/core/error.hpp>
#include <thalweg/core/optimizer.hpp>

#include "binding.hpp"

namespace thalweg {

namespace detail {

// ---- binding --------------------------------------------------------------------------------------

template <class T>
engine<T>::engine(program<T> p, std::vector<parameter<T>> parameters, const options& o, const device_maker<T>& make_device)
    : options_(o) {
  check_fields("optimizer", options_);
  for (const auto& t : p.transforms) t.code->check_fields();

  bound_program<T> bound{.what = std::move(p), .members = {}, .prepared = {}};
  std::vector<bound_parameter<T>> bound_parameters;
  bind(bound, parameters, bound_parameters);
  std::size_t most_scalars = 0;
  bound.prepared.reserve(bound.what.paths.size());
  for (std::size_t i = 0; i < bound.what.paths.size(); ++i) {
    const path<T>& way = bound.what.paths[i];
    bound.prepared.push_back(prepared_path<T>(bound.what.transforms, way));
    auto& scalars = now_.scalars.emplace_back();
    for (const std::size_t t : way.transforms)
      for (std::size_t s = 0; s < bound.what.info(t).is.scalars; ++s) scalars.push_back(bound.what.info(t).initial(s));
    most_scalars = std::max(most_scalars, scalars.size());
  }
  now_.weight_sums.resize(bound.what.paths.size());
  now_.largest_lrs.resize(bound.what.paths.size());
  next_ = now_;
  spare_scalars_.resize(most_scalars);

  device_ = make_device(std::move(bound));
  device_->store.parameters = std::move(bound_parameters);
  gradients_ = given_gradients<T>(device_->store);
  prepare({.loss = 1});  // whatever `at` refuses, it refuses here
  device_->bind(options_);
}

namespace {

/// What the parameters of one path have in common.
struct path_key {
  std::size_t way;
  double lr_factor, weight_decay_factor;
  auto operator<=>(const path_key&) const = default;
};

}  // namespace

template <class T>
void engine<T>::bind(bound_program<T>& bound, std::vector<parameter<T>>& given,
                     std::vector<bound_parameter<T>>& to) const {
  std::vector<parameter_info> infos;
  std::vector<const void*> data;
  for (auto& p : given) {
    infos.push_back({std::move(p.name), std::move(p.shape), p.role, p.order, p.lr_factor, p.weight_decay_factor});
    data.push_back(p.data);
  }
  check_text(bound.what.text);
  check_parameters(infos, data, sizeof(T));

  const program<T>& what = bound.what;
  std::vector<path_key> of_each;
  for (const auto& p : infos) of_each.push_back({what.select(p), p.lr_factor, p.weight_decay_factor});
  std::vector<path_key> keys = of_each;
  std::ranges::sort(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::vector<path<T>> paths;
  for (const auto& key : keys) paths.push_back(what.paths[key.way]);
  bound.what.paths = std::move(paths);
  bound.members.resize(keys.size());

  for (std::size_t i = 0; i < infos.size(); ++i) {
    bound_parameter<T> p{.info = std::move(infos[i]), .data = given[i].data};
    p.size = p.info.size();
    p.path = static_cast<std::size_t>(std::ranges::lower_bound(keys, of_each[i]) - keys.begin());
    bound.members[p.path].push_back(i);
    const auto& way = what.paths[p.path].transforms;
    for (const std::size_t t : way) what.info(t).check(p.info);
    for (const std::size_t t : way) {
      std::size_t array = 0;
      for (const slot& s : what.info(t).slots)
        if (s.what == slot_kind::array) {
          p.add_state(what.info(t).name, s.name, what.info(t).shape(array++, p.info), s.of_its_shape);
          check_state(p.state_names.back(), p.state_shapes.back(), p.info, sizeof(T));
        }
    }
    p.averaged = what.info(way.back()).is.averages;
    to.push_back(std::move(p));
  }
}

template <class T>
void engine<T>::lr(double lr) {
  options changed = options_;
  changed.lr = lr;
  check_fields("optimizer", changed);
  options_ = changed;
}

// ---- stepping -------------------------------------------------------------------------------------

template <class T>
void engine<T>::check_loss_is_there(const step_inputs& given) const {
  for (std::size_t p = 0; p < what().paths.size(); ++p)
    for (const std::size_t t : what().paths[p].transforms)
      if (what().info(t).is.reads_loss) check_loss(what().info(t).name, given);
}

template <class T>
double engine<T>::prepare(const step_inputs& inputs) {
  const long step = steps_ + 1;
  const double warm = options_.warmup_steps > 0 ? std::min(1.0, double(step) / double(options_.warmup_steps)) : 1.0;
  const context at_begin{.step = step,
                         .lr = options_.lr * warm,
                         .weight_decay = options_.weight_decay,
                         .warmup_steps = options_.warmup_steps,
                         .loss = inputs.loss};
  double largest_lr = 0;
  for (std::size_t i = 0; i < what().paths.size(); ++i) {
    const path<T>& way = what().paths[i];
    const auto& prepared = device_->bound.prepared[i];
    std::ranges::copy(now_.scalars[i], next_.scalars[i].begin());
    std::ranges::copy(now_.scalars[i], spare_scalars_.begin());
    const auto pass_on = [&](std::size_t position, const context& c, double* scalars) {
      return what().code(way.transforms[position]).prepare(c, scalars + way.first_scalar[position], prepared.at[position]);
    };

    // The lr in which the path ends, without the parameters' factor, which does not weigh in an average: only the
    // contextual transforms are asked.
    context last = at_begin;
    for (std::size_t k = 0; k < way.positions(); ++k)
      if (way.kinds[k] == kind::contextual) last = pass_on(k, last, spare_scalars_.data());
    const parameter_info& of = one_of(i);
    const double lr = last.lr * of.lr_factor, decay = lr * last.weight_decay * of.weight_decay_factor;
    if (last.lr - last.lr != 0)
      throw error("step", "Expected schedules that leave lr finite. Received ", last.lr, ".");
    if (lr - lr != 0 || decay - decay != 0)
      throw error("step", "Expected a finite lr and a finite lr·weight_decay for ", in_quotes(of.name), ". Received ", lr,
                  " and ", decay, ".");
    largest_lr = std::max(largest_lr, last.lr);
    if (last.weighs_largest_lr) next_.largest_lrs[i] = std::max(now_.largest_lrs[i], last.lr);
    const double weighing = last.weighs_largest_lr ? next_.largest_lrs[i] : last.lr;
    const double weight = weight_of_step(step, weighing, options_.weight_lr_power, options_.r);
    next_.weight_sums[i] = now_.weight_sums[i] + weight;
    if (what().info(way.transforms[way.last()]).is.averages && weighing > 0 && !(weight > 0 && std::isfinite(next_.weight_sums[i])))
      throw error("step", "Expected a weight t^r·lr^weight_lr_power of the average that is neither zero nor infinite. Received t = ",
                  step, ", r = ", options_.r, ", lr = ", weighing, ", weight_lr_power = ", options_.weight_lr_power, ".");

    context c = at_begin;
    c.lr *= of.lr_factor;
    c.weight_decay *= of.weight_decay_factor;
    if (next_.weight_sums[i] > 0) c.average_weight = weight / next_.weight_sums[i];  // else nothing has moved
    for (std::size_t k = 0; k < way.positions(); ++k) c = pass_on(k, c, next_.scalars[i].data());
  }
  return largest_lr;
}

template <class T>
step_report engine<T>::step(std::size_t gradient_count, const step_inputs& given) {
  device_->check_usable();
  gradients_.check_count(gradient_count);
  if (what().may_stop() && !has_finite_loss(given)) return {.taken = false};
  check_loss_is_there(given);
  gathered_losses losses = losses_;  // of all the calls that a gate makes one step of
  const double lr = prepare(losses.take(given));
  device_->begin_step(gradients_.all());

  std::size_t first = 0;
  if (what().may_stop()) {  // nothing is written before
    device_->run_phase(first++);
    if (!what().info(what().stop).proceeds(device_->sum_that_may_stop()))
      return {.taken = false, .parameter = device_->stopped_by()};
  }
  if (what().has_gate() && !what().info(what().gate).opens(calls_ + 1)) {
    device_->absorb(calls_ + 1);
    ++calls_;
    losses_ = losses;
    return {.taken = false};
  }
  device_->run_phases(first);
  std::swap(now_, next_);
  ++steps_;
  ++calls_;
  losses_ = {};
  step_report report{.lr = lr};
  if (what().has_norm())
    if (const auto squares = device_->known_sum(what().norm)) report.gradient_norm = std::sqrt(*squares);
  return report;
}

// ---- evaluating -----------------------------------------------------------------------------------

template <class T>
average_of<T> engine<T>::average_by(std::size_t path) const {
  const auto& way = what().paths[path];
  const std::size_t last = way.last();
  return {&what().code(way.transforms[last]), now_.scalars[path].data() + way.first_scalar[last], way.first_array[last]};
}

template <class T>
void engine<T>::check_average(std::size_t path) const {
  if (steps_ == 0) return;  // x is y
  const auto by = average_by(path);
  by.code->average(by.scalars, 0, {});
}

template <class T>
void engine<T>::average_into(std::size_t i, T* out) const {
  const auto& p = store().parameters[i];
  if (p.averaged && steps_ > 0) device_->average(i, average_by(p.path), out);
  else if (out != p.data) device_->copy(p.data, p.size, out);
}

template <class T>
evaluation_guard<T> engine<T>::evaluation_point() {
  device_->check_usable();
  for (std::size_t p = 0; p < what().paths.size(); ++p) check_average(p);
  if (store().at_evaluation_point)
    throw error("evaluation_point", "Expected the parameters at y. Received a second guard while one lives.");
  device_->hold_back([this](std::size_t i, T* out) { average_into(i, out); });
  return evaluation_guard<T>(device_);
}

template <class T>
void engine<T>::averaged(std::size_t i, std::span<T> out) const {
  device_->check_usable();
  gradients_.check_room(i, out);
  device_->check_room(i, out.data());
  const auto& p = store().parameters[i];
  check_average(p.path);
  if (store().at_evaluation_point) device_->copy(p.data, p.size, out.data());
  else average_into(i, out.data());
}

// ---- saving and loading ---------------------------------------------------------------------------

template <class T>
progress engine<T>::progress_now() const {
  progress now{.chain = what().text, .settings = options_, .steps = steps_, .calls = calls_, .losses = losses_};
  for (std::size_t p = 0; p < what().paths.size(); ++p) {
    auto& route = now.routes.emplace_back(progress::route{.weight_sum = now_.weight_sums[p], .largest_lr = now_.largest_lrs[p]});
    const double* next = now_.scalars[p].data();
    for (const std::size_t t : what().paths[p].transforms)
      for (const slot& s : what().info(t).slots)
        if (s.what == slot_kind::scalar) route.add_scalar(what().info(t).name, s.name, *next++);
  }
  return now;
}

template <class T>
void engine<T>::save(const write_bytes& write) const {
  device_->check_usable();
  device_->save(write, progress_now(), [this](std::size_t i, T* out) { average_into(i, out); });
}

template <class T>
load_report engine<T>::load(const readable_bytes& from) {
  device_->check_usable();
  const auto [loaded, report] = device_->load(from, progress_now());
  options_.lr = loaded.settings.lr;
  steps_ = loaded.steps;
  calls_ = loaded.calls;
  losses_ = loaded.losses;
  for (std::size_t p = 0; p < what().paths.size(); ++p) {
    now_.weight_sums[p] = loaded.routes[p].weight_sum;
    now_.largest_lrs[p] = loaded.routes[p].largest_lr;
    std::ranges::copy(loaded.routes[p].scalars, now_.scalars[p].begin());
  }
  return report;
}

// ---- describing -----------------------------------------------------------------------------------

template <class T>
std::string engine<T>::describe() const {
  device_->check_usable();
  description d;
  device_->describe(d);
  d.header = in_words(std::is_same_v<T, float> ? "float32" : "float64", ", step ", steps_, ", ", options_,
                      d.header.empty() ? "" : ", ", d.header);
  std::vector<std::string> names(what().paths.size());
  for (std::size_t p = 0; p < what().paths.size(); ++p) {
    description::path entry;
    const double* next = now_.scalars[p].data();
    const auto& way = what().paths[p];
    for (std::size_t k = 0; k < way.positions(); ++k) {
      const transform_info& t = what().info(way.transforms[k]);
      names[p] += in_words(names[p].empty() ? "" : " | ", t.name);
      entry.chain += in_words(entry.chain.empty() ? "" : " | ", t.text());
      if (const std::string by = device_->computed_by(p, k); !by.empty())
        entry.computed_by.push_back(in_words(t.name, " by ", by));
      if (!t.remark().empty()) entry.remarks.push_back(in_words(t.name, ": ", t.remark()));
      for (const slot& s : t.slots)
        if (s.what == slot_kind::scalar) entry.scalars.push_back(in_words(t.name, ".", s.name, "=", *next++));
    }
    for_each_field<parameter_info>([&](const auto& factor) {
      if (one_of(p).*factor.place == 1) return;
      const std::string text = in_words(", ", factor.name, "=", one_of(p).*factor.place);
      names[p] += text;
      entry.chain += text;
    });
    d.paths.push_back(std::move(entry));
  }
  for (const auto& p : store().parameters) d.add(p, names[p.path]);
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
void optimizer<T>::take_gradient(std::size_t i, std::span<const T> g) {
  bound("step", engine_).take_gradient(i, g);
}
template <class T>
step_report optimizer<T>::take_step(std::size_t gradient_count, const step_inputs& inputs) {
  return bound("step", engine_).step(gradient_count, inputs);
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
  return bound("lr", engine_).lr();
}
template <class T>
void optimizer<T>::lr(double lr) {
  bound("lr", engine_).lr(lr);
}
template <class T>
void optimizer<T>::save(const std::string& path) const {
  const auto& from = bound("save", engine_);
  detail::replace_file(path, [&](const detail::write_bytes& write) { from.save(write); });
}
template <class T>
load_report optimizer<T>::load(const std::string& path) {
  auto& to = bound("load", engine_);
  to.check_usable();  // before the file is opened
  return to.load(detail::bytes_of_file(path));
}
template <class T>
std::string optimizer<T>::to_bytes() const {
  std::string all;
  bound("to_bytes", engine_).save([&](std::span<const std::byte> piece, std::size_t left) {
    all.reserve(all.size() + piece.size() + left);
    all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return all;
}
template <class T>
load_report optimizer<T>::load_bytes(std::string_view bytes) {
  return bound("load_bytes", engine_).load({"bytes", bytes.size(), [bytes](std::size_t from, std::span<std::byte> to) {
    std::memcpy(to.data(), bytes.data() + from, to.size());
  }});
}
template <class T>
std::string optimizer<T>::describe() const {
  return bound("describe", engine_).describe();
}

template class optimizer<float>;
template class optimizer<double>;

}  // namespace thalweg
