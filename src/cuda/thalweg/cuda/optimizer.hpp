// The optimizer of parameters that live in a GPU's memory. A chain, its transforms and their kernels are those of
// <thalweg/core/optimizer.hpp>; here is who moves the memory. For units that nvcc compiles:
//
//     nvcc -std=c++20 --expt-relaxed-constexpr --extended-lambda …
//
//     auto opt = cuda::optimizer(recipes::amuse(), parameters, {.lr = 0.02, .warmup_steps = 100}, stream);
//     for (auto& batch : data) { backward(batch, gradients, stream); opt.step(gradients); }
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <thalweg/core/bound_chain.hpp>
#include <thalweg/core/evaluation.hpp>
#include <thalweg/core/gradients.hpp>
#include <thalweg/core/unfused.hpp>
#include <thalweg/cuda/computable.hpp>
#include <thalweg/cuda/device.hpp>
#include <thalweg/cuda/device_form.hpp>
#include <thalweg/cuda/pass.hpp>
#include <thalweg/cuda/reduction.hpp>
#include <thalweg/cuda/storage.hpp>

namespace thalweg::cuda {

namespace detail {

/// What does a tensor-wise transform at a position, and `nothing` at the others.
template <class T, class Path, std::size_t Position>
auto form_at() {
  using transform = settled_t<typename Path::template transform_at<Position>>;
  if constexpr (Path::kinds[Position] == kind::tensorwise) {
    static_assert(has_device_form<transform, T>,
                  "thalweg: [cuda] a tensor-wise transform of this chain has no device form for numbers of this type");
    static_assert(states_of<transform>::arrays == 0, "thalweg: [cuda] a device form is handed no states");
    return std::optional<device_form<transform, T>>();
  } else {
    return nothing();
  }
}
template <class T, class Path, std::size_t... I>
auto forms_at(std::index_sequence<I...>) -> std::tuple<decltype(form_at<T, Path, I>())...>;

/// What the device knows of the parameters that take a path.
template <class T, class Path>
struct members_on_device {
  device_array<member_of<Path, T>> members;
  device_array<const T*> gradients;
  std::vector<const T*> known;  ///< the addresses in `gradients`; none where a captured step may change them
  device_array<chunk> chunks, reduced_chunks;
  device_array<std::uint32_t> first_reduced;  ///< chunk of each member, and their number
  device_array<double> partials, sums;        ///< of chunks and of members: what a parameter-wise transform has summed
  decltype(forms_at<T, Path>(std::make_index_sequence<Path::positions>())) forms;
};
template <class T, class... Paths>
auto on_device(std::tuple<Paths...>*) -> std::tuple<members_on_device<T, Paths>...>;

template <class... Leaves>
constexpr bool all_computable(const std::tuple<Leaves...>*) { return (computable<settled_t<Leaves>> && ...); }

}  // namespace detail

/// As `thalweg::optimizer`, for parameters whose `data` and gradients whose spans are memory of the current device,
/// which is to be current whenever something is asked of the optimizer.
///
/// All is done in the order of `stream`, which the user keeps while the optimizer and its evaluation points live. A
/// step copies nothing to the host, waits for nothing and allocates nothing, and so may be captured in a graph; only a
/// chain that begins with `when_finite` waits, since the host must know. `save`, `load`, binding and the end of an
/// evaluation point wait as well. `options.parallel` means nothing here.
///
/// Results equal those of the host within rounding, and each other bit for bit. A tensor-wise transform needs a device
/// form (<thalweg/cuda/device_form.hpp>); a chain with one that has none does not compile. Each update that waits at a
/// barrier (behind momentum, before `orthogonalize_update`) has memory of its own.
template <class Chain, class T = float>
class optimizer {
  using bound_chain = thalweg::detail::bound_chain<Chain, T, true>;
  using plan = typename bound_chain::plan;
  using leaves_type = typename plan::leaves_type;
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "thalweg: parameters are float or double");
  static_assert(detail::all_computable(static_cast<const leaves_type*>(nullptr)),
                "thalweg: [cuda] a transform of this chain is no constant expression on ones at its defaults: its `at`, "
                "`reduce`, kernels and whatever they call must be constexpr");

public:
  /// `given`: a chain, or one transform. Waits until parameters and state are in place.
  template <class Given>
  optimizer(Given given, std::vector<parameter<T>> parameters, options o, cudaStream_t stream = nullptr)
      : optimizer(o, thalweg::detail::bindable<Given>::links(std::move(given)), parameters, stream) {
    static_assert(thalweg::detail::bindable<Given>::passes::fused, "thalweg: [cuda] on a device every chain is fused");
  }

  optimizer(optimizer&&) noexcept = default;
  optimizer& operator=(optimizer&&) noexcept = default;

  /// One step. The gradients are read, and parameters and state written, in the stream's order.
  template <std::ranges::input_range Gradients>
  step_report step(const Gradients& gradients, const step_inputs& inputs = {}) {
    thalweg::detail::check_read_in_place<Gradients>();
    std::size_t i = 0;
    for (const auto& g : gradients) gradients_.take(i++, std::span<const T>(g));
    return take_step(i, inputs);
  }
  step_report step(std::initializer_list<std::span<const T>> gradients, const step_inputs& inputs = {}) {
    std::size_t i = 0;
    for (const auto& g : gradients) gradients_.take(i++, g);
    return take_step(i, inputs);
  }

  /// While the guard lives the parameters hold x, the average, from here on in the stream's order; y is back bit for
  /// bit after. Allocates a copy of y.
  [[nodiscard]] auto evaluation_point() {
    store_->check_current();
    chain_.check_averages();
    return evaluation_guard<T>(store_, [this](std::size_t i, T* out) { average_into(i, out); });
  }

  /// Copies x of parameter `i` to `out`, in device memory; the parameters are not touched.
  void averaged(std::size_t i, std::span<T> out) const {
    store_->check_current();
    gradients_.check_room(i, out);
    const auto& p = store_->parameters[i];
    detail::check_on_device("memory for x of", p.info.name, out.data());
    chain_.check_averages(p.path);
    if (store_->at_evaluation_point) copy<T>(p.data, p.size, out.data(), store_->stream);
    else average_into(i, out.data());
  }

  [[nodiscard]] long steps() const { return chain_.steps(); }
  [[nodiscard]] double lr() const { return chain_.settings().lr; }
  void lr(double lr) { chain_.lr(lr); }

  /// The file is that of the host's optimizer, and may go on there.
  void save(const std::string& path) const {
    store_->check_current();
    const auto mirror = detail::mirror_of(*store_);
    device_array<T> x(largest_);
    thalweg::detail::save_checkpoint<T>(path, mirror.store, chain_.progress(), [&](std::size_t i, T* out) {
      average_into(i, x.data());
      copy<T>(x.data(), store_->parameters[i].size, out, store_->stream);
      synchronize(store_->stream);
    });
  }
  void load(const std::string& path) {
    store_->check_current();
    auto mirror = detail::mirror_of(*store_);
    const auto loaded = thalweg::detail::load_checkpoint<T>(path, mirror.store, chain_.progress());
    detail::adopt(mirror, *store_);
    chain_.adopt(loaded);
  }

  [[nodiscard]] std::string describe() const;

private:
  optimizer(const options& o, const Chain& chain, std::vector<parameter<T>>& parameters, cudaStream_t stream);

  static constexpr std::size_t sums_at(std::size_t leaf) {  // of all leaves
    std::size_t count = 0;
    plan::for_each_leaf([&](auto l) {
      if (l == leaf) count = thalweg::detail::sum_count_of<typename plan::template leaf_type<l>>();
    });
    return count;
  }
  static constexpr std::size_t most_sums = [] {
    std::size_t most = 0;
    plan::for_each_leaf([&](auto l) { most = std::max(most, sums_at(l)); });
    return most;
  }();
  /// Where the sums of a model-wise leaf are among those of all.
  static constexpr std::size_t first_sum(std::size_t leaf) {
    std::size_t first = 0;
    for (std::size_t l = 0; l < leaf; ++l) first += sums_at(l);
    return first;
  }

  void place_states();
  template <std::size_t Path>
  void place_members(T*& free_updates);
  template <class Value>
  device_array<Value> uploaded(const std::vector<Value>& values) const;
  void point_to_gradients(bool captured);

  step_report take_step(std::size_t gradient_count, const step_inputs& given);
  template <std::size_t Phase>
  void run_phase(const typename bound_chain::step& prepared);
  template <std::size_t Path, std::size_t Stage>
  void run_stage(const typename bound_chain::step& prepared);
  template <std::size_t Path, std::size_t Position>
  void sum_chunks(const typename bound_chain::step& prepared, double* partials);
  template <std::size_t N>
  void sum_up(const double* partials, const std::uint32_t* first, std::size_t blocks, double* totals);
  std::string_view blamed(const typename bound_chain::step& prepared);
  void absorb();
  void average_into(std::size_t i, T* out) const;

  std::shared_ptr<detail::storage_on_device<T>> store_ = std::make_shared<detail::storage_on_device<T>>();
  bound_chain chain_;
  thalweg::detail::given_gradients<T> gradients_;
  std::size_t largest_ = 0;  ///< parameter, in elements

  decltype(detail::on_device<T>(static_cast<typename plan::paths*>(nullptr))) paths_;
  device_array<T> updates_;
  device_array<double> partials_, sums_;  ///< of chunks; of the model-wise leaves
  device_array<std::uint32_t> all_chunks_;  ///< {0, how many}, for each phase
};

template <class Given, class T>
optimizer(Given, std::vector<parameter<T>>, options)
    -> optimizer<decltype(thalweg::detail::bindable<Given>::links(std::declval<Given>())), T>;
template <class Given, class T>
optimizer(Given, std::vector<parameter<T>>, options, cudaStream_t)
    -> optimizer<decltype(thalweg::detail::bindable<Given>::links(std::declval<Given>())), T>;

// ---- binding --------------------------------------------------------------------------------------

template <class Chain, class T>
optimizer<Chain, T>::optimizer(const options& o, const Chain& chain, std::vector<parameter<T>>& parameters,
                               cudaStream_t stream)
    : chain_(o, chain, parameters, store_->parameters), gradients_(*store_) {
  store_->stream = stream;
  for (const auto& p : store_->parameters) {
    detail::check_on_device("parameter", p.info.name, p.data);
    largest_ = std::max(largest_, p.size);
  }
  place_states();

  std::size_t updates = 0, chunks = 0;
  plan::for_each_path([&](auto index) {
    for (const std::size_t i : chain_.members(index)) {
      if constexpr (plan::template path_at<index>::template crosses_memory<true>())
        updates += thalweg::detail::padded<T>(store_->parameters[i].size);
    }
  });
  updates_ = device_array<T>(updates);
  T* free = updates_.data();
  plan::for_each_path([&](auto index) {
    place_members<index>(free);
    chunks += std::get<index>(paths_).reduced_chunks.size();
  });
  if constexpr (most_sums > 0) {
    partials_ = device_array<double>(chunks * most_sums);
    sums_ = device_array<double>(first_sum(plan::leaf_count));
    std::vector<std::uint32_t> ends;
    plan::for_each_phase([&](auto phase) {
      std::size_t in_phase = 0;
      plan::for_each_path([&](auto index) {
        if constexpr (plan::template part_of<index, phase>.takes_part)
          in_phase += std::get<index>(paths_).reduced_chunks.size();
      });
      ends.insert(ends.end(), {0, static_cast<std::uint32_t>(in_phase)});
    });
    all_chunks_ = uploaded(ends);
  }
}

template <class Chain, class T>
template <class Value>
device_array<Value> optimizer<Chain, T>::uploaded(const std::vector<Value>& values) const {
  device_array<Value> there(values.size());
  copy(values.data(), values.size(), there.data(), store_->stream);
  synchronize(store_->stream);
  return there;
}

template <class Chain, class T>
void optimizer<Chain, T>::place_states() {
  auto& store = *store_;
  for (const auto& p : store.parameters)
    for (const auto& shape : p.state_shapes) store.state_elements += thalweg::detail::padded<T>(element_count(shape));
  store.memory = device_array<T>(store.state_elements);
  T* free = store.memory.data();
  for (auto& p : store.parameters)
    for (const auto& shape : p.state_shapes)
      p.states.push_back(std::exchange(free, free + thalweg::detail::padded<T>(element_count(shape))));

  zero(store.memory.data(), store.memory.size(), store.stream);  // between the arrays as well
  std::vector<T> values, state;  // of one parameter: the host may have no room for all
  for (const auto& p : store.parameters) {
    values.resize(p.size);
    copy<T>(p.data, p.size, values.data(), store.stream);
    synchronize(store.stream);
    auto to = p.states.begin();
    chain_.for_each_array(p, [&](std::size_t size, auto initial) {
      state.resize(size);
      for (std::size_t i = 0; i < size; ++i) state[i] = initial(values.data(), i);
      copy<T>(state.data(), size, *to++, store.stream);
      synchronize(store.stream);
    });
  }
}

template <class Chain, class T>
template <std::size_t Path>
void optimizer<Chain, T>::place_members(T*& free_updates) {
  using path = typename plan::template path_at<Path>;
  auto& here = std::get<Path>(paths_);
  std::vector<detail::member_of<path, T>> members;
  std::vector<std::size_t> sizes;
  std::vector<device_update<T>> updates;
  for (const std::size_t i : chain_.members(Path)) {
    const auto& p = store_->parameters[i];
    T* update = nullptr;
    if constexpr (path::template crosses_memory<true>())
      update = std::exchange(free_updates, free_updates + thalweg::detail::padded<T>(p.size));
    detail::member_of<path, T> m{.data = p.data, .update = update, .size = p.size, .states = {}};
    std::ranges::copy(p.states, m.states.begin());
    members.push_back(m);
    sizes.push_back(p.size);
    updates.push_back({update, p.info.rows(), p.info.cols(), p.info.order});
  }
  if (members.empty()) return;
  here.members = uploaded(members);
  here.gradients = device_array<const T*>(members.size());
  here.known.resize(members.size());
  here.chunks = uploaded(detail::chunks_of(sizes, detail::chunk_elements));
  if constexpr (most_sums > 0) {
    const auto chunks = detail::chunks_of(sizes, detail::reduced_elements);
    std::vector<std::uint32_t> first;
    for (std::uint32_t m = 0; m <= members.size(); ++m)
      first.push_back(static_cast<std::uint32_t>(
          std::ranges::lower_bound(chunks, m, {}, &detail::chunk::member) - chunks.begin()));
    here.reduced_chunks = uploaded(chunks);
    here.first_reduced = uploaded(first);
    here.partials = device_array<double>(chunks.size() * most_sums);
    here.sums = device_array<double>(members.size() * most_sums);
  }
  detail::for_each_number<0, path::positions>([&](auto position) {
    if constexpr (path::kinds[position] == thalweg::detail::kind::tensorwise)
      std::get<position>(here.forms)
          .emplace(settled(std::get<path::leaf[position]>(chain_.leaves()), context()),
                   std::span<const device_update<T>>(updates), store_->stream);
  });
}

// ---- stepping -------------------------------------------------------------------------------------

/// Tells the device where the gradients are, if they are not where they were, before anything else is written. What is
/// captured may run at any time, often or never: it always says where, and from then on nothing is known.
template <class Chain, class T>
void optimizer<Chain, T>::point_to_gradients(bool captured) {
  const auto for_each_path_that_moved = [&](auto f) {
    plan::for_each_path([&](auto index) {
      auto& here = std::get<index>(paths_);
      const auto& members = chain_.members(index);
      const bool same = std::ranges::equal(members, here.known, {}, [&](std::size_t i) { return gradients_[i]; });
      if (captured ? !members.empty() : !same) f(members, here);
    });
  };
  for_each_path_that_moved([&](const auto& members, const auto& here) {
    for (std::size_t m = 0; m < members.size(); ++m)
      if (here.known.empty() || gradients_[members[m]] != here.known[m])
        detail::check_on_device("gradient of", store_->parameters[members[m]].info.name, gradients_[members[m]]);
  });
  for_each_path_that_moved([&](const auto& members, auto& here) {
    if (captured) here.known.clear();  // for good: no address equals what is not known
    std::ranges::fill(here.known, nullptr);
    using addresses = detail::set_addresses<T>;
    for (std::size_t first = 0; first < members.size(); first += addresses::most) {
      addresses some{here.gradients.data() + first, std::min(addresses::most, members.size() - first), {}};
      for (std::size_t k = 0; k < some.count; ++k) some.addresses[k] = gradients_[members[first + k]];
      launch(store_->stream, blocks_for(some.count), some);
    }
    for (std::size_t m = 0; m < here.known.size(); ++m) here.known[m] = gradients_[members[m]];
  });
}

template <class Chain, class T>
step_report optimizer<Chain, T>::take_step(std::size_t gradient_count, const step_inputs& given) {
  store_->check_current();
  gradients_.check_count(gradient_count);
  const bool captured = is_capturing(store_->stream);
  if (captured && bound_chain::may_stop)
    throw error("cuda", "Expected a chain whose steps are always taken in a stream that captures. Received ",
                chain_.progress().chain, ", which waits to know.");
  if (chain_.skips(given)) return {.taken = false};
  const auto prepared = chain_.prepare(given);
  point_to_gradients(captured);

  if constexpr (bound_chain::may_stop) {  // nothing is written before
    static_assert(plan::phases[0] == plan::stopping_leaf);
    run_phase<0>(prepared);
    double sum = 0;
    copy<double>(sums_.data() + first_sum(plan::stopping_leaf), 1, &sum, store_->stream);
    synchronize(store_->stream);
    if (!chain_.proceeds(sum)) return {.taken = false, .parameter = blamed(prepared)};
  }
  if (!chain_.opens()) {
    absorb();
    chain_.swallowed(prepared);
    return {.taken = false};
  }
  plan::for_each_phase([&](auto phase) {
    if constexpr (!bound_chain::may_stop || phase > 0) run_phase<phase>(prepared);
  });
  chain_.taken(prepared);
  return {};
}

template <class Chain, class T>
template <std::size_t Phase>
void optimizer<Chain, T>::run_phase(const typename bound_chain::step& prepared) {
  [[maybe_unused]] double* partials = partials_.data();
  plan::for_each_path([&](auto index) {
    constexpr auto part = plan::template part_of<index, Phase>;
    if constexpr (part.takes_part) {
      if (chain_.members(index).empty()) return;
      detail::for_each_number<part.first, part.last>([&](auto stage) { run_stage<index, stage>(prepared); });
      if constexpr (part.reduction < plan::template path_at<index>::positions) {
        sum_chunks<index, part.reduction>(prepared, partials);
        partials += std::get<index>(paths_).reduced_chunks.size() * sums_at(plan::phases[Phase]);
      }
    }
  });
  if constexpr (constexpr std::size_t leaf = plan::phases[Phase]; leaf < plan::leaf_count)
    sum_up<sums_at(leaf)>(partials_.data(), all_chunks_.data() + 2 * Phase, 1, sums_.data() + first_sum(leaf));
}

template <class Chain, class T>
template <std::size_t Path, std::size_t Stage>
void optimizer<Chain, T>::run_stage(const typename bound_chain::step& prepared) {
  using path = typename plan::template path_at<Path>;
  using pass = thalweg::detail::stage_pass<path, true, Stage>;
  constexpr auto s = pass::place;
  auto& here = std::get<Path>(paths_);
  const auto& kernels = *std::get<Path>(prepared.paths);
  if constexpr (pass::exists) {
    const double* sums = nullptr;
    std::size_t stride = 0;
    if constexpr (path::kinds[s.begin] == thalweg::detail::kind::modelwise) {
      sums = sums_.data() + first_sum(path::leaf[s.begin]);
    } else if constexpr (path::kinds[s.begin] == thalweg::detail::kind::parameterwise) {
      sums = here.sums.data();
      stride = sums_at(path::leaf[s.begin]);
    }
    launch_as<detail::stage_tag<leaves_type, path, Stage, T>>(
        store_->stream, here.chunks.size(),
        {here.chunks.data(), here.members.data(), here.gradients.data(), sums, stride,
         detail::travelling<path, Stage>(chain_.leaves(), kernels)});
  }
  if constexpr (!pass::ends && pass::barrier == thalweg::detail::kind::tensorwise) {
    const context seen = std::get<s.end>(kernels).seen;
    (*std::get<s.end>(here.forms))(settled(std::get<path::leaf[s.end]>(chain_.leaves()), seen), seen);
  } else if constexpr (!pass::ends && pass::barrier == thalweg::detail::kind::parameterwise) {
    sum_chunks<Path, s.end>(prepared, here.partials.data());
    sum_up<sums_at(path::leaf[s.end])>(here.partials.data(), here.first_reduced.data(), here.members.size(),
                                       here.sums.data());
  }
}

template <class Chain, class T>
template <std::size_t Path, std::size_t Position>
void optimizer<Chain, T>::sum_chunks(const typename bound_chain::step& prepared, double* partials) {
  using path = typename plan::template path_at<Path>;
  using tag = detail::chunk_sums_tag<leaves_type, path, Position, T>;
  const auto& here = std::get<Path>(paths_);
  launch_sums_as<tag>(store_->stream, here.reduced_chunks.size(),
                      {here.reduced_chunks.data(), here.members.data(), here.gradients.data(),
                       reinterpret_cast<typename tag::body::sums*>(partials),
                       std::get<Position>(*std::get<Path>(prepared.paths)).reduce});
}

template <class Chain, class T>
template <std::size_t N>
void optimizer<Chain, T>::sum_up(const double* partials, const std::uint32_t* first, std::size_t blocks,
                                 double* totals) {
  using body = detail::totals_body<N>;
  launch_sums(store_->stream, blocks,
              body{reinterpret_cast<const typename body::sums*>(partials), first,
                   reinterpret_cast<typename body::sums*>(totals)});
}

/// The first parameter whose own sum stops the step.
template <class Chain, class T>
std::string_view optimizer<Chain, T>::blamed(const typename bound_chain::step& prepared) {
  std::size_t first = store_->parameters.size();
  plan::for_each_path([&](auto index) {
    using path = typename plan::template path_at<index>;
    auto& here = std::get<index>(paths_);
    const auto& members = chain_.members(index);
    if (members.empty()) return;
    sum_chunks<index, path::position_of(plan::stopping_leaf)>(prepared, here.partials.data());
    sum_up<1>(here.partials.data(), here.first_reduced.data(), members.size(), here.sums.data());
    std::vector<double> sums(members.size());
    copy<double>(here.sums.data(), sums.size(), sums.data(), store_->stream);
    synchronize(store_->stream);
    for (std::size_t m = 0; m < members.size(); ++m)
      if (!chain_.proceeds(sums[m])) first = std::min(first, members[m]);
  });
  return first < store_->parameters.size() ? std::string_view(store_->parameters[first].info.name) : "";
}

// A step that the gate swallows: its own states take the gradients in, and nothing else happens.
template <class Chain, class T>
void optimizer<Chain, T>::absorb() {
  if constexpr (bound_chain::has_gate)
    plan::for_each_path([&](auto index) {
      using path = typename plan::template path_at<index>;
      const auto& here = std::get<index>(paths_);
      if (chain_.members(index).empty()) return;
      launch_as<detail::absorb_tag<leaves_type, path, path::position_of(plan::gate_leaf), T>>(
          store_->stream, here.chunks.size(),
          {here.chunks.data(), here.members.data(), here.gradients.data(), nullptr, 0,
           {chain_.template absorbing<index>()}});
    });
}

// ---- evaluating -----------------------------------------------------------------------------------

template <class Chain, class T>
void optimizer<Chain, T>::average_into(std::size_t i, T* out) const {
  const auto& p = store_->parameters[i];
  const bool recovered = chain_.on_average(p, [&](auto index, const auto& kernel) {
    using path = typename plan::template path_at<index>;
    using tag = detail::average_tag<leaves_type, path, T>;
    typename tag::body body{.parameter = p.data, .out = out, .size = p.size, .states = {}, .kernel = kernel};
    std::copy_n(p.states.end() - std::ssize(body.states), body.states.size(), body.states.begin());
    launch_as<tag>(store_->stream, (p.size + detail::chunk_elements - 1) / detail::chunk_elements, body);
  });
  if (!recovered && out != p.data) copy<T>(p.data, p.size, out, store_->stream);
}

// ---- describing -----------------------------------------------------------------------------------

template <class Chain, class T>
std::string optimizer<Chain, T>::describe() const {
  cudaDeviceProp properties{};
  check("a device that describes itself", cudaGetDeviceProperties(&properties, store_->device));
  auto d = chain_.describe(store_->parameters, in_words("cuda: ", std::string_view(properties.name)));
  d.scratch_bytes = updates_.size() * sizeof(T) + (partials_.size() + sums_.size()) * sizeof(double);
  auto entry = d.paths.begin();
  plan::for_each_path([&](auto index) {
    using path = typename plan::template path_at<index>;
    if (chain_.members(index).empty()) return;
    entry->computed_by.clear();
    detail::for_each_number<0, path::positions>([&](auto position) {
      const auto& form = std::get<position>(std::get<index>(paths_).forms);
      if constexpr (requires { form->computed_by(); })
        entry->computed_by.push_back(
            in_words(name_of(std::get<path::leaf[position]>(chain_.leaves())), " by ", form->computed_by()));
      if constexpr (requires { form->scratch_bytes(); }) d.scratch_bytes += form->scratch_bytes();
    });
    ++entry;
  });
  return thalweg::detail::table(d);
}

}  // namespace thalweg::cuda
