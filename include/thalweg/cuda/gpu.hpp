// A GPU as a device: parameters and states are in its memory, and a step runs on one stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/device.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/cuda/device.hpp>
#include <thalweg/cuda/launch.hpp>
#include <thalweg/cuda/launches.hpp>
#include <thalweg/cuda/pass.hpp>

namespace thalweg::cuda::detail {

inline void check_on_device(std::string_view what, std::string_view parameter, const void* address, number_type type) {
  const place found = place_of(address);
  if (found != place::device)
    throw error("cuda", "Expected memory of the current device as the ", what, " '", parameter, "'. Received ",
                found == place::host ? "an address of the host's." : "another device's.");
  if (const auto number = reinterpret_cast<std::uintptr_t>(address); number % bytes_of(type))
    throw error("cuda", "Expected the ", what, " '", parameter, "' at a multiple of ", bytes_of(type),
                " bytes. Received the address ", number, ".");
}

template <class T>
class gpu : public device<T> {
  struct pass_of_stage {
    pass_launch<T> run;
    std::size_t kernel, position;  ///< of its path: the first
  };
  /// Chunks of a sum that stand together, here and among those of all processes.
  struct run_of_chunks {
    std::size_t first, count, of_all;
  };
  /// What is launched for the parameters that take a path. In all tables their rows stand together.
  struct on_path {
    std::size_t first_row = 0, members = 0;
    std::vector<run_of_chunks> runs;  ///< of the reduced chunks
    std::size_t reduced_chunks_of_all = 0;
    bool in_place = true;             ///< its parameters and their states are of T
    bool gradients_in_place = false;  ///< those of the step are
    device_array<chunk> chunks, reduced_chunks;
    device_array<std::uint32_t> first_reduced;       ///< chunk of each row, and their number
    device_array<T> updates;                         ///< that wait between two passes
    std::vector<std::vector<pass_of_stage>> passes;  ///< by stage
    std::vector<any_form> forms;                     ///< by position
  };

  const launches<T>& known_;
  cudaStream_t stream_;
  int number_ = current_device();
  std::vector<const launched_transform<T>*> transforms_;  ///< of the program; null where one has nothing to launch
  std::vector<on_path> paths_;
  std::vector<std::size_t> rows_;  ///< of the tables: the parameters' numbers
  std::size_t columns_ = 0;
  device_array<std::size_t> sizes_;
  device_array<std::uint64_t> names_;
  device_array<stored_array> arrays_;
  device_array<given_gradient> gradients_;
  /// Those of the step; what the device knows, until a step is captured.
  std::vector<given_gradient> now_, known_gradients_;
  device_array<std::byte> states_;
  device_array<std::byte> y_;  ///< of the averaged parameters, as it is stored, one behind the other, while they hold x
  weights_in weights_ = weights_in::exact;
  std::uint64_t seed_ = 0;
  std::uint64_t chance_ = 0;  ///< of rounding, of the step
  device_array<double> sums_, partials_;          ///< of the model, by `program::first_sum`, and of all chunks
  device_array<double> row_sums_, row_partials_;  ///< of each parameter on its own
  std::vector<double> known_sums_;                ///< those that the host has asked for last

protected:
  using device<T>::bound;
  using device<T>::store;

  /// Whether this process steps parameter `i`.
  [[nodiscard]] virtual bool is_here(std::size_t /*i*/) const { return true; }
  /// Whether other processes step parameters that are not here.
  [[nodiscard]] virtual bool shares_steps() const { return false; }
  /// Gives this process what the others have computed of `n` numbers. A number that a process has not computed is zero there.
  virtual void join(double* /*numbers*/, std::size_t /*n*/) {}

  [[nodiscard]] cudaStream_t stream() const { return stream_; }

  void check_parameters() const {
    for (const auto& p : store.parameters) {
      if (p.lies_in)
        throw error("cuda", "Expected parameters that lie in one piece. Received ", in_quotes(p.info.name),
                    ", which its view makes of ", p.lies_in->count, " pieces.");
      for (std::size_t s = 0; s < p.state_types.size(); ++s)
        if (p.state_types[s] == number_type::eight_bits)
          throw error("cuda", "Expected state of 16 or more bits on a GPU. Received ", p.state_names[s], " of ",
                      in_quotes(p.info.name), " in eight_bits.");
      check_on_device("parameter", p.info.name, p.values.data, p.values.type);
    }
  }

public:
  gpu(bound_program<T> given, const launches<T>& known, cudaStream_t stream)
      : device<T>(std::move(given)), known_(known), stream_(stream) {}

  void bind(const options& o) override {
    weights_ = o.weights;
    seed_ = o.seed;
    check_parameters();
    for (const auto& t : bound.what.transforms) transforms_.push_back(known_.find(t.info->is.type));
    paths_.resize(bound.what.paths.size());
    for (std::size_t p = 0; p < paths_.size(); ++p) choose_passes(p, paths_[p]);
    place_states();
    place_tables();
  }

  void check_usable() const override {
    if (const int current = current_device(); current != number_)
      throw error("cuda", "Expected device ", number_,
                  " to be current, as when the optimizer was made. Received device ", current, ".");
  }

  /// A launch is for all parameters of a path.
  const T* zeros(std::size_t i) override {
    throw error("cuda", "Expected a gradient for every parameter. Received none for ", in_quotes(store.parameters[i].info.name),
                ". A GPU steps all parameters together: pass zeros, or make the optimizer without this parameter.");
  }

  void begin_step(std::span<const stored_array> gradients, long number, measure what) override {
    if (what != measure::nothing) throw error("cuda", "Expected a step that measures nothing. Received one that measures norms.");
    const bool captured = is_capturing(stream_);
    if (captured && waits_for_sums())
      throw error("cuda", "Expected a chain whose steps need not wait in a stream that captures. Received ", bound.what.text,
                  ", in which the host must know a sum.");
    point_to(gradients, captured);
    chance_ = scrambled(seed_, static_cast<std::uint64_t>(number));
    for (std::size_t p = 0; p < paths_.size(); ++p)
      paths_[p].gradients_in_place =
          std::ranges::all_of(bound.members[p], [&](std::size_t i) { return gradients[i].type == type_of<T>; });
  }

  void run_phase(std::size_t phase) override {
    const std::size_t l = bound.what.phases[phase], sums = bound.what.info(l).is.sums;
    std::size_t chunks = 0;
    if (sums && shares_steps()) zero(partials_.data(), partials_.size(), stream_);
    for (std::size_t p = 0; p < paths_.size(); ++p) {
      on_path& here = paths_[p];
      const part& share = bound.what.paths[p].parts[phase];
      if (!share.takes_part) continue;
      for (std::size_t s = share.first; s < share.last; ++s) run_stage(p, here, s);
      if (share.reduction == bound.what.paths[p].positions()) continue;
      for (const run_of_chunks& run : here.runs)
        sum_chunks(p, here, share.reduction, run.first, run.count, partials_.data() + (chunks + run.of_all) * sums);
      chunks += here.reduced_chunks_of_all;
    }
    if (sums && shares_steps()) join(partials_.data(), chunks * sums);
    if (sums && transforms_[l])  // else no parameter takes it
      transforms_[l]->add_up(stream_, partials_.data(), {.all = static_cast<std::uint32_t>(chunks)}, 1,
                             sums_.data() + bound.what.first_sum[l]);
  }

  /// Waits for the device, as nothing else in a step does.
  std::span<const double> sums(std::size_t transform) override {
    known_sums_.resize(bound.what.info(transform).is.sums);
    copy_and_wait<double>(sums_.data() + bound.what.first_sum[transform], known_sums_.size(), known_sums_.data());
    return known_sums_;
  }

  std::optional<std::size_t> stopped_by() override {
    const auto& what = bound.what;
    std::size_t first = store.parameters.size();
    for (std::size_t p = 0; p < paths_.size(); ++p) {
      on_path& here = paths_[p];
      std::vector<double> sums(here.members);
      copy_and_wait<double>(sum_members(p, here, what.paths[p].position_of(what.stop)), sums.size(), sums.data());
      for (std::size_t m = 0; m < sums.size(); ++m)
        if (!what.info(what.stop).proceeds(sums[m])) first = std::min(first, rows_[here.first_row + m]);
    }
    if (first == store.parameters.size()) return {};
    return first;
  }

  void absorb(long call) override {
    const std::size_t l = bound.what.gate;
    for (std::size_t p = 0; p < paths_.size(); ++p) {
      on_path& here = paths_[p];
      auto seen = seen_at(p, bound.what.paths[p].gate, here.chunks.span());
      seen.from_gradient = true;  // what may stop a step has changed nothing
      transforms_[l]->absorb(stream_, seen, bound.what.info(l).transform(), call);
    }
  }

  /// What CUDA reports in mid-step leaves all as it then is.
  void run_phases(std::size_t first) override {
    for (std::size_t phase = first; phase < bound.what.phases.size(); ++phase) run_phase(phase);
  }

  void copy_parameter(std::size_t i, T* out) const override {
    const auto& p = store.parameters[i];
    const bool at_x = store.at_evaluation_point && p.averaged;  // the rest of the 16 bits is that of y
    if (p.data) copy(p.data, p.size, out, stream_);
    else convert_to({out, type_of<T>}, {p.values.data, p.values.type, at_x ? nullptr : p.values.rest}, p.size);
  }

  void average(std::size_t i, const average_of<T>& by, T* out) const override {
    const auto& p = store.parameters[i];
    const std::size_t l = bound.what.paths[p.path].transforms.back();
    transforms_[l]->average(stream_, bound.what.info(l).transform(), by.scalars, p.size, p.values,
                            p.arrays.data() + by.first_array, out);
  }

  void check_room(std::size_t i, const T* out) const override {
    check_on_device("memory for x of", store.parameters[i].info.name, out, type_of<T>);
  }

  void hold_back(const std::function<void(std::size_t, T*)>& average_into) override {
    std::size_t total = 0, longest = 0;  // of 16 bits
    for (const auto& p : store.parameters) {
      if (!p.averaged) continue;
      total += p.bytes();
      if (!p.data) longest = std::max(longest, p.size);
    }
    device_array<std::byte> y(total);
    const device_array<T> x(longest);
    y_ = std::move(y);
    for_each_y([&](const auto& p, std::byte* held) {
      copy(static_cast<const std::byte*>(p.values.data), p.bytes(), held, stream_);
    });
    try {
      for (std::size_t i = 0; i < store.parameters.size(); ++i) {
        const auto& p = store.parameters[i];
        if (!p.averaged) continue;
        average_into(i, p.data ? p.data : x.data());
        if (!p.data) convert_to({p.values.data, p.values.type}, {x.data(), type_of<T>}, p.size);
      }
    } catch (...) {
      store.at_evaluation_point = true;
      put_back();
      throw;
    }
    store.at_evaluation_point = true;
  }
  /// Where the device cannot, the parameters count as x, and the next step is refused.
  void put_back() noexcept override {
    int current = number_;
    static_cast<void>(cudaGetDevice(&current));
    bool done = cudaSetDevice(number_) == cudaSuccess;  // the default stream is that of the current one
    for_each_y([&](const auto& p, const std::byte* held) {
      done = done && cudaMemcpyAsync(p.values.data, held, p.bytes(), cudaMemcpyDefault, stream_) == cudaSuccess;
    });
    done = done && cudaStreamSynchronize(stream_) == cudaSuccess;
    static_cast<void>(cudaSetDevice(current));
    if (!done) return static_cast<void>(cudaGetLastError());
    y_ = {};
    store.at_evaluation_point = false;
  }

  void scale_rows(std::size_t, std::span<const double>, std::size_t, long) override {
    throw error("scale_rows", "Expected an optimizer on the host. Received one on a GPU.");
  }

  void save(const write_bytes& write, const progress& now,
            const std::function<void(std::size_t, T*)>& average_into) const override {
    const host_mirror m = mirror();
    write_checkpoint<T>(write, m.store, now, onto_host(average_into, [](auto f) { f(); }));
  }
  loaded_progress load(const readable_bytes& from, progress now, const load_policy& policy,
                       const std::function<void(const loaded_progress&)>& before_writing) override {
    host_mirror m = mirror();
    auto loaded = read_checkpoint<T>(from, m.store, std::move(now), policy, before_writing);
    take(m);
    return loaded;
  }

  void describe(description& d) const override {
    cudaDeviceProp properties{};
    check("a device that describes itself", cudaGetDeviceProperties(&properties, number_));
    d.header = in_words("cuda: ", std::string_view(properties.name));
    d.scratch_bytes = (partials_.size() + sums_.size() + row_partials_.size() + row_sums_.size()) * sizeof(double);
    for (const auto& here : paths_) {
      d.scratch_bytes += here.updates.size() * sizeof(T);
      for (const auto& form : here.forms) d.scratch_bytes += form.scratch_bytes;
    }
  }
  [[nodiscard]] std::string computed_by(std::size_t path, std::size_t position) const override {
    return paths_[path].forms[position].computed_by;
  }

protected:
  template <class Value>
  void copy_and_wait(const Value* from, std::size_t n, Value* to) const {
    cuda::copy<Value>(from, n, to, stream_);
    synchronize(stream_);
  }
  /// Averages as a checkpoint needs them: in memory of the host. `run` runs what is done for it on this GPU alone.
  template <class Run>
  [[nodiscard]] std::function<void(std::size_t, T*)> onto_host(const std::function<void(std::size_t, T*)>& average_into, Run run) const {
    return [this, &average_into, run](std::size_t i, T* out) {
      device_array<T> x;
      run([&] { x = device_array<T>(store.parameters[i].size); });
      average_into(i, x.data());
      run([&] { copy_and_wait<T>(x.data(), x.size(), out); });
    };
  }
  /// On the host, what the device holds: to be saved, or loaded and taken over.
  struct host_mirror {
    storage<T> store;
    std::vector<std::vector<std::byte>> parameters;
  };
  [[nodiscard]] host_mirror mirror() const {
    host_mirror m;
    const auto copied = [&](const void* from, std::size_t n) {
      std::vector<std::byte> bytes(n);
      copy(static_cast<const std::byte*>(from), n, bytes.data(), stream_);
      return bytes;
    };
    m.store.parameters = store.parameters;
    m.store.wholes = store.wholes;
    m.store.state_bytes = store.state_bytes;
    m.store.states = allocate<std::byte>(store.state_bytes);
    copy<std::byte>(states_.data(), states_.size(), m.store.states.get(), stream_);
    const auto there = [&](void* address) {
      return m.store.states.get() + (static_cast<std::byte*>(address) - states_.data());
    };
    for (auto& p : m.store.parameters) {
      p.values.data = m.parameters.emplace_back(copied(p.values.data, p.bytes())).data();
      if (p.values.rest) p.values.rest = there(p.values.rest);
      p.data = p.values.template as<T>();
      for (std::size_t s = 0; s < p.arrays.size(); ++s) {
        if (!p.arrays[s].data) continue;  // it is another process's
        p.arrays[s].data = there(p.arrays[s].data);
        p.states[s] = p.arrays[s].template as<T>();
      }
    }
    m.store.at_evaluation_point = store.at_evaluation_point;
    if (store.at_evaluation_point) {
      m.store.held_back.resize(store.parameters.size());
      for_each_y([&](const auto& p, const std::byte* held) {
        m.store.held_back[static_cast<std::size_t>(&p - store.parameters.data())] = copied(held, p.bytes());
      });
    }
    synchronize(stream_);
    return m;
  }
  void take(const host_mirror& m) {
    copy<std::byte>(m.store.states.get(), states_.size(), states_.data(), stream_);
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      const auto& p = store.parameters[i];
      copy<std::byte>(m.parameters[i].data(), p.bytes(), static_cast<std::byte*>(p.values.data), stream_);
    }
    synchronize(stream_);
  }

private:
  template <class Value>
  [[nodiscard]] device_array<Value> uploaded(const std::vector<Value>& values) const {
    device_array<Value> there(values.size());
    copy_and_wait(values.data(), values.size(), there.data());
    return there;
  }

  void choose_passes(std::size_t p, on_path& here) {
    const auto& way = bound.what.paths[p];
    std::vector<type_id> kernels;
    for (std::size_t k = 0; k < way.positions(); ++k)
      if (has_kernel(way.kinds[k])) kernels.push_back(bound.what.info(way.transforms[k]).is.type);
    for (std::size_t s = 0; s < way.stages.size(); ++s) {
      auto& passes = here.passes.emplace_back();
      for (const auto& pass : way.passes[s]) {
        const pass_launch<T> run = known_.find(std::span<const type_id>(kernels).subspan(pass.first, pass.count));
        if (!run) refuse(way.transforms[pass.begin]);
        passes.push_back({run, pass.first, pass.begin});
      }
      const std::size_t end = way.stages[s].end;
      if (end == way.positions()) continue;
      if (!transforms_[way.transforms[end]]) refuse(way.transforms[end]);
      if (way.kinds[end] == kind::tensorwise && !way.changed_before(end)) passes.push_back({&launch_pass<T>, 0, end});
    }
  }
  [[noreturn]] void refuse(std::size_t transform) const {
    throw error("cuda", "Expected transforms that are compiled for a device. Received ",
                bound.what.info(transform).name, ".");
  }

  [[nodiscard]] std::size_t rest_of_weights(const bound_parameter<T>& p) const {
    return p.values.type != type_of<T> && weights_ == weights_in::exact ? bytes_of_rest(p.values.type, p.size) : 0;
  }

  /// `to` and `from` are arrays of n numbers; one is of floats.
  void convert_to(const stored_array& to, const stored_array& from, std::size_t n) const {
    launch(stream_, (n + chunk_elements - 1) / chunk_elements, convert{from, to, n});
  }

  /// The numbers of T that n others are, on the host.
  static std::vector<T> numbers_of(const stored_array& from, std::size_t n) {
    std::vector<T> numbers(n);
    if constexpr (std::is_same_v<T, float>) read(from, 0, n, numbers.data());
    else std::copy_n(from.template as<T>(), n, numbers.data());
    return numbers;
  }
  /// The bytes of numbers, as they are stored.
  static std::vector<std::byte> bytes_of_numbers(const std::vector<T>& numbers, number_type type) {
    std::vector<std::byte> bytes(numbers.size() * bytes_of(type));
    if constexpr (std::is_same_v<T, float>) write(numbers.data(), {bytes.data(), type}, 0, numbers.size());
    else std::ranges::copy(std::as_bytes(std::span(numbers)), bytes.begin());
    return bytes;
  }

  void place_states() {
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      const auto& p = store.parameters[i];
      if (!is_here(i)) continue;
      store.state_bytes += padded<std::byte>(rest_of_weights(p));
      for (std::size_t s = 0; s < p.state_shapes.size(); ++s)
        store.state_bytes += padded<std::byte>(element_count(p.state_shapes[s]) * bytes_of(p.state_types[s]));
    }
    states_ = device_array<std::byte>(store.state_bytes);
    zero(states_.data(), states_.size(), stream_);  // between the arrays as well
    std::byte* free = states_.data();
    const auto take = [&](std::size_t bytes) { return std::exchange(free, free + padded<std::byte>(bytes)); };
    std::vector<std::byte> memory;  // of one parameter: the host may have no room for all
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      auto& p = store.parameters[i];
      if (!is_here(i)) {
        for (const number_type type : p.state_types) p.place_state({nullptr, type});
        continue;
      }
      memory.resize(p.bytes());
      copy_and_wait(static_cast<const std::byte*>(p.values.data), p.bytes(), memory.data());
      const std::vector<T> values = numbers_of({memory.data(), p.values.type}, p.size);
      if (const std::size_t rest = rest_of_weights(p)) {
        p.values.rest = take(rest);
        if (p.values.type == number_type::float16)  // of bfloat16 it is zero
          copy_and_wait(values.data(), p.size, static_cast<T*>(p.values.rest));
      }
      for (const std::size_t l : bound.what.paths[p.path].transforms)
        for (std::size_t array = 0; array < bound.what.info(l).is.arrays; ++array) {
          const std::size_t s = p.arrays.size();
          std::vector<T> state(element_count(p.state_shapes[s]));
          bound.what.code(l).fill(array, state, values.data());
          const auto bytes = bytes_of_numbers(state, p.state_types[s]);
          p.place_state({take(bytes.size()), p.state_types[s]});
          copy_and_wait(bytes.data(), bytes.size(), static_cast<std::byte*>(p.arrays.back().data));
        }
    }
  }

  void place_tables() {
    for (const auto& way : bound.what.paths)
      columns_ = std::max(columns_, members<T>::first_state + way.first_array.back());
    std::vector<std::size_t> sizes;
    std::vector<stored_array> arrays;
    std::vector<std::uint64_t> names;
    std::size_t chunks = 0, most_sums = 0;
    for (std::size_t p = 0; p < paths_.size(); ++p) {
      on_path& here = paths_[p];
      here.first_row = rows_.size();
      const auto updates = place_members(p, here, sizes, arrays);
      for (const std::size_t l : bound.what.paths[p].transforms)
        here.forms.push_back(bound.what.info(l).is.what == kind::tensorwise && here.members > 0
                                 ? transforms_[l]->form(bound.what.info(l).transform(), updates, stream_)
                                 : any_form());
      chunks += here.reduced_chunks_of_all;
    }
    sizes_ = uploaded(sizes);
    arrays_ = uploaded(arrays);
    for (const std::size_t i : rows_) names.push_back(scrambled(0, std::string_view(store.parameters[i].info.name)));
    names_ = uploaded(names);
    gradients_ = device_array<given_gradient>(rows_.size());
    now_.resize(rows_.size());
    known_gradients_.resize(rows_.size());
    for (const auto& t : bound.what.transforms) most_sums = std::max(most_sums, t.info->is.sums);
    sums_ = device_array<double>(bound.what.first_sum.back());
    row_sums_ = device_array<double>(rows_.size() * most_sums);
    partials_ = device_array<double>(chunks * most_sums);
    row_partials_ = device_array<double>(chunks * most_sums);
  }

  /// Whether the step stops by a sum, or the next step's scalars are made of one.
  [[nodiscard]] bool waits_for_sums() const {
    return bound.what.may_stop() || std::ranges::any_of(bound.what.transforms, [](const auto& t) {
      return t.info->is.what == kind::modelwise && t.info->is.scalars > 0;
    });
  }

  /// The rows of a path. Returns its updates.
  std::vector<device_update<T>> place_members(std::size_t p, on_path& here, std::vector<std::size_t>& sizes,
                                              std::vector<stored_array>& arrays) {
    const bool waits = bound.what.paths[p].crosses_memory() ||
                       std::ranges::any_of(here.passes, [](const auto& of_stage) { return of_stage.size() > 1; });
    std::size_t elements = 0;
    for (const std::size_t i : bound.members[p]) elements += is_here(i) ? padded<T>(store.parameters[i].size) : 0;
    here.updates = device_array<T>(waits ? elements : 0);
    T* free = here.updates.data();
    std::vector<device_update<T>> updates;
    std::vector<chunk> chunks, reduced;
    std::vector<std::uint32_t> first{0};
    for (const std::size_t i : bound.members[p]) {
      const auto& one = store.parameters[i];
      const std::size_t reduced_of_one = (one.size + reduced_elements - 1) / reduced_elements, of_all = here.reduced_chunks_of_all;
      here.reduced_chunks_of_all += reduced_of_one;
      if (!is_here(i)) continue;
      if (here.runs.empty() || here.runs.back().of_all + here.runs.back().count != of_all) here.runs.push_back({reduced.size(), 0, of_all});
      here.runs.back().count += reduced_of_one;
      ++here.members;
      const auto row = static_cast<std::uint32_t>(rows_.size());
      updates.push_back({waits ? std::exchange(free, free + padded<T>(one.size)) : nullptr, one.info.rows(),
                         one.info.cols(), one.info.order});
      rows_.push_back(i);
      sizes.push_back(one.size);
      here.in_place = here.in_place && !one.is_mixed;
      arrays.insert(arrays.end(), {one.values, {updates.back().data, type_of<T>}});
      arrays.insert(arrays.end(), one.arrays.begin(), one.arrays.end());
      arrays.resize(rows_.size() * columns_);
      for (std::uint32_t n = 0; n * chunk_elements < one.size; ++n) chunks.push_back({row, n});
      for (std::uint32_t n = 0; n * reduced_elements < one.size; ++n) reduced.push_back({row, n});
      first.push_back(static_cast<std::uint32_t>(reduced.size()));
    }
    here.chunks = uploaded(chunks);
    here.reduced_chunks = uploaded(reduced);
    here.first_reduced = uploaded(first);
    return updates;
  }

  /// Tells the device where the gradients are, if they are not where they were, before anything else is written. What
  /// is captured may run at any time, often or never: it always says where, and from then on nothing is known.
  void point_to(std::span<const stored_array> gradients, bool captured) {
    for (std::size_t r = 0; r < rows_.size(); ++r) now_[r] = {gradients[rows_[r]].data, gradients[rows_[r]].type};
    if (!captured && now_ == known_gradients_) return;
    for (std::size_t r = 0; r < rows_.size(); ++r)
      if (known_gradients_.empty() || now_[r] != known_gradients_[r])
        check_on_device("gradient of", store.parameters[rows_[r]].info.name, now_[r].data, now_[r].type);
    if (captured) known_gradients_.clear();  // for good
    std::ranges::fill(known_gradients_, given_gradient());
    for (std::size_t first = 0; first < rows_.size(); first += set_gradients::most) {
      set_gradients some{gradients_.data() + first, std::min(set_gradients::most, rows_.size() - first), {}, {}};
      for (std::size_t r = 0; r < some.count; ++r) {
        some.addresses[r] = now_[first + r].data;
        some.types[r] = now_[first + r].type;
      }
      launch(stream_, blocks_for(some.count), some);
    }
    if (!known_gradients_.empty()) known_gradients_ = now_;
  }

  [[nodiscard]] members<T> seen_at(std::size_t p, std::size_t position, std::span<const chunk> chunks) const {
    const auto& way = bound.what.paths[p];
    const std::size_t l = way.transforms[position];
    const bool of_each = way.kinds[position] == kind::parameterwise;
    const auto column = [&](std::size_t at) { return members<T>::first_state + way.first_array[at]; };
    return {.chunks = chunks.data(),
            .chunk_count = chunks.size(),
            .sizes = sizes_.data(),
            .gradients = gradients_.data(),
            .arrays = arrays_.data(),
            .columns = columns_,
            .in_place = paths_[p].in_place && paths_[p].gradients_in_place,
            .names = names_.data(),
            .chance = chance_,
            .all_states = way.first_array.back(),
            .by_chance = weights_ == weights_in::stochastic,
            .from_gradient = !way.changed_before(position),
            .gathered = position > way.gate ? column(way.gate) : 0,
            .states = column(position),
            .sums = of_each ? row_sums_.data() : sums_.data() + bound.what.first_sum[l],
            .stride = of_each ? bound.what.info(l).is.sums : 0};
  }

  void run_stage(std::size_t p, on_path& here, std::size_t number) {
    const auto& way = bound.what.paths[p];
    const auto& prepared = bound.clocks[p].prepared;
    if (here.members == 0) return;
    for (const auto& pass : here.passes[number])
      pass.run(stream_, seen_at(p, pass.position, here.chunks.span()), prepared.kernels.data() + pass.kernel);
    const std::size_t end = way.stages[number].end;
    if (end == way.positions()) return;
    if (way.kinds[end] == kind::tensorwise) here.forms[end].run(prepared.at[end]);
    else if (way.kinds[end] == kind::parameterwise) sum_members(p, here, end);
  }

  void sum_chunks(std::size_t p, const on_path& here, std::size_t position, std::size_t first, std::size_t count, double* partials) const {
    transforms_[bound.what.paths[p].transforms[position]]->sum_chunks(
        stream_, seen_at(p, position, here.reduced_chunks.span().subspan(first, count)), bound.clocks[p].prepared.at[position], partials);
  }
  /// Of each member on its own. Returns where the sums are.
  const double* sum_members(std::size_t p, const on_path& here, std::size_t position) const {
    const std::size_t l = bound.what.paths[p].transforms[position];
    double* const sums = row_sums_.data() + here.first_row * bound.what.info(l).is.sums;
    sum_chunks(p, here, position, 0, here.reduced_chunks.size(), row_partials_.data());
    transforms_[l]->add_up(stream_, row_partials_.data(), {here.first_reduced.data()}, here.members, sums);
    return sums;
  }

  /// f(parameter, its y) for those that are averaged.
  template <class F>
  void for_each_y(F f) const {
    std::byte* held = y_.data();
    for (const auto& p : store.parameters)
      if (p.averaged) f(p, std::exchange(held, held + p.bytes()));
  }
};

/// Makes the device that the program of an optimizer runs on. `known` must outlive it.
template <class T>
device_maker<T> on_gpu(const launches<T>& known, cudaStream_t stream) {
  return [&known, stream](bound_program<T> bound) {
    return std::make_shared<gpu<T>>(std::move(bound), known, stream);
  };
}

}  // namespace thalweg::cuda::detail
