// A GPU as a device: parameters and states in its memory, all that a step does in the order of one stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/device.hpp>
#include <thalweg/cuda/device.hpp>
#include <thalweg/cuda/launch.hpp>
#include <thalweg/cuda/launches.hpp>
#include <thalweg/cuda/pass.hpp>

namespace thalweg::cuda::detail {

template <class T>
void check_on_device(std::string_view what, std::string_view parameter, const T* address) {
  const place found = place_of(address);
  if (found != place::device)
    throw error("cuda", "Expected memory of the current device as the ", what, " '", parameter, "'. Received ",
                found == place::host ? "an address of the host's." : "another device's.");
  if (const auto number = reinterpret_cast<std::uintptr_t>(address); number % alignof(T))
    throw error("cuda", "Expected the ", what, " '", parameter, "' at a multiple of ", alignof(T),
                " bytes. Received the address ", number, ".");
}

template <class T>
class gpu final : public device<T> {
  using device<T>::bound;
  using device<T>::store;

  struct pass_of_stage {
    pass_launch<T> run;
    std::size_t first;     ///< kernel of its path
    std::size_t position;  ///< of that
  };
  /// What the device knows of the parameters that take a path, and what is launched for them.
  struct on_path {
    device_array<std::size_t> sizes;
    device_array<T*> arrays;
    device_array<const T*> gradients;
    std::vector<const T*> known;  ///< the addresses in `gradients`; none where a captured step may change them
    device_array<chunk> chunks, reduced_chunks;
    device_array<std::uint32_t> first_reduced;  ///< the chunk of each member, and how many there are
    device_array<double> partials, sums;        ///< of chunks; of members, for a parameter-wise transform
    std::vector<std::vector<pass_of_stage>> passes;   ///< by stage
    std::vector<std::unique_ptr<any_form<T>>> forms;  ///< by position
  };

  const launches<T>& known_;
  cudaStream_t stream_;
  int number_ = current_device();
  std::vector<const launched_transform<T>*> transforms_;  ///< of the program; null where one has nothing to launch
  std::vector<on_path> paths_;
  device_array<T> states_, updates_;
  device_array<T> y_;  ///< of the averaged parameters, one behind the other, while they hold x
  device_array<double> partials_, sums_;    ///< of chunks; of the model, by `program::first_sum`
  device_array<std::uint32_t> all_chunks_;  ///< {0, how many}, for each phase

public:
  gpu(bound_program<T> given, const launches<T>& known, cudaStream_t stream)
      : device<T>(std::move(given)), known_(known), stream_(stream) {}

  // ---- binding ------------------------------------------------------------------------------------

  void bind(const options&) override {
    for (const auto& p : store.parameters) check_on_device("parameter", p.info.name, p.data);
    for (const auto& t : bound.what.transforms) transforms_.push_back(known_.find(t.info->is.type));
    paths_.resize(bound.what.paths.size());
    std::size_t updates = 0;
    for_each_path([&](std::size_t p, on_path& here) {
      choose_passes(p, here);
      if (keeps_updates(p))
        for (const std::size_t i : bound.members[p]) updates += padded<T>(store.parameters[i].size);
    });
    place_states();
    updates_ = device_array<T>(updates);
    T* free = updates_.data();
    for_each_path([&](std::size_t p, on_path& here) { place_members(p, here, free); });
    place_sums();
  }

  void check_usable() const override {
    if (const int current = current_device(); current != number_)
      throw error("cuda", "Expected device ", number_,
                  " to be current, as when the optimizer was made. Received device ", current, ".");
  }

  // ---- stepping -----------------------------------------------------------------------------------

  void begin_step(std::span<const T* const> gradients) override {
    const bool captured = is_capturing(stream_);
    if (captured && bound.what.may_stop())
      throw error("cuda", "Expected a chain whose steps are always taken in a stream that captures. Received ",
                  bound.what.text, ", which waits to know.");
    point_to(gradients, captured);
  }

  void run_phase(std::size_t phase) override {
    const std::size_t l = bound.what.phases[phase], sums = bound.what.info(l).is.sums;
    double* partials = partials_.data();
    for_each_path([&](std::size_t p, on_path& here) {
      const part& share = bound.what.paths[p].parts[phase];
      if (!share.takes_part) return;
      for (std::size_t s = share.first; s < share.last; ++s) run_stage(p, here, s);
      if (share.reduction == bound.what.paths[p].positions()) return;
      sum_chunks(p, here, share.reduction, partials);
      partials += here.reduced_chunks.size() * sums;
    });
    if (sums && transforms_[l])  // else no parameter takes it
      transforms_[l]->add_up(stream_, partials_.data(), all_chunks_.data() + 2 * phase, 1,
                             sums_.data() + bound.what.first_sum[l]);
  }

  /// Waits for the device, as nothing else in a step does.
  double sum_that_may_stop() override {
    double sum = 0;
    copy_and_wait<double>(sums_.data() + bound.what.first_sum[bound.what.stop], 1, &sum);
    return sum;
  }

  std::string_view stopped_by() override {
    const auto& what = bound.what;
    std::size_t first = store.parameters.size();
    for_each_path([&](std::size_t p, on_path& here) {
      const auto& members = bound.members[p];
      sum_chunks(p, here, what.paths[p].position_of(what.stop), here.partials.data());
      sum_members(here, what.stop);
      std::vector<double> sums(members.size());
      copy_and_wait<double>(here.sums.data(), sums.size(), sums.data());
      for (std::size_t m = 0; m < members.size(); ++m)
        if (!what.info(what.stop).proceeds(sums[m])) first = std::min(first, members[m]);
    });
    return first < store.parameters.size() ? std::string_view(store.parameters[first].info.name) : "";
  }

  void absorb(long call) override {
    const std::size_t l = bound.what.gate;
    for_each_path([&](std::size_t p, on_path& here) {
      transforms_[l]->absorb(stream_, seen_at(p, here, bound.what.paths[p].gate, here.chunks),
                             bound.what.info(l).transform(), call);
    });
  }

  /// What CUDA reports in mid-step leaves all as it then is.
  void run_phases(std::size_t first) override {
    for (std::size_t phase = first; phase < bound.what.phases.size(); ++phase) run_phase(phase);
  }

  // ---- evaluating ---------------------------------------------------------------------------------

  void copy(const T* from, std::size_t n, T* to) const override { cuda::copy<T>(from, n, to, stream_); }

  void average(std::size_t i, const average_of<T>& by, T* out) const override {
    const auto& p = store.parameters[i];
    const std::size_t l = bound.what.paths[p.path].transforms.back();
    transforms_[l]->average(stream_, bound.what.info(l).transform(), by.scalars, p.size, p.data,
                            p.states.data() + by.first_array, out);
  }

  void check_room(std::size_t i, const T* out) const override {
    check_on_device("memory for x of", store.parameters[i].info.name, out);
  }

  void hold_back(const std::function<void(std::size_t, T*)>& average_into) override {
    std::size_t total = 0;
    for (const auto& p : store.parameters) total += p.averaged ? p.size : 0;
    y_ = device_array<T>(total);
    for_each_y([&](const auto& p, T* held) { copy(p.data, p.size, held); });
    store.at_evaluation_point = true;
    try {
      for (std::size_t i = 0; i < store.parameters.size(); ++i)
        if (store.parameters[i].averaged) average_into(i, store.parameters[i].data);
    } catch (...) {
      put_back();
      throw;
    }
  }
  /// Where the device cannot, the parameters count as x, and the next step is refused.
  void put_back() noexcept override {
    int current = number_;
    static_cast<void>(cudaGetDevice(&current));
    bool done = cudaSetDevice(number_) == cudaSuccess;  // the default stream is that of the current one
    for_each_y([&](const auto& p, const T* held) {
      done = done && cudaMemcpyAsync(p.data, held, p.size * sizeof(T), cudaMemcpyDefault, stream_) == cudaSuccess;
    });
    done = done && cudaStreamSynchronize(stream_) == cudaSuccess;
    static_cast<void>(cudaSetDevice(current));
    if (!done) return static_cast<void>(cudaGetLastError());
    y_ = {};
    store.at_evaluation_point = false;
  }

  // ---- saving and loading -------------------------------------------------------------------------

  void save(const std::string& path, const progress& now,
            const std::function<void(std::size_t, T*)>& average_into) const override {
    const host_mirror m = mirror();
    std::size_t largest = 0;
    for (const auto& p : store.parameters) largest = std::max(largest, p.size);
    device_array<T> x(largest);
    save_checkpoint<T>(path, m.store, now, [&](std::size_t i, T* out) {
      average_into(i, x.data());
      copy_and_wait(x.data(), store.parameters[i].size, out);
    });
  }
  progress load(const std::string& path, progress now) override {
    host_mirror m = mirror();
    auto loaded = load_checkpoint<T>(path, m.store, std::move(now));
    copy(m.store.states.get(), store.state_elements, states_.data());
    for (std::size_t i = 0; i < store.parameters.size(); ++i)
      copy(m.store.parameters[i].data, store.parameters[i].size, store.parameters[i].data);
    synchronize(stream_);
    return loaded;
  }

  // ---- describing ---------------------------------------------------------------------------------

  void describe(description& d) const override {
    cudaDeviceProp properties{};
    check("a device that describes itself", cudaGetDeviceProperties(&properties, number_));
    d.header = in_words("cuda: ", std::string_view(properties.name));
    d.scratch_bytes = updates_.size() * sizeof(T) + (partials_.size() + sums_.size()) * sizeof(double);
    for (const auto& here : paths_)
      for (const auto& form : here.forms)
        if (form) d.scratch_bytes += form->scratch_bytes();
  }
  [[nodiscard]] std::string computed_by(std::size_t path, std::size_t position) const override {
    const auto& form = paths_[path].forms[position];
    return form ? form->computed_by() : "";
  }

private:
  /// f(number, path) for each that a parameter takes.
  template <class F>
  void for_each_path(F f) {
    for (std::size_t p = 0; p < paths_.size(); ++p)
      if (!bound.members[p].empty()) f(p, paths_[p]);
  }

  template <class Value>
  void copy_and_wait(const Value* from, std::size_t n, Value* to) const {
    cuda::copy<Value>(from, n, to, stream_);
    synchronize(stream_);
  }
  template <class Value>
  [[nodiscard]] device_array<Value> uploaded(const std::vector<Value>& values) const {
    device_array<Value> there(values.size());
    copy_and_wait(values.data(), values.size(), there.data());
    return there;
  }

  // ---- binding ------------------------------------------------------------------------------------

  /// Each stage in as few passes as are known for its kernels.
  void choose_passes(std::size_t p, on_path& here) {
    const auto& way = bound.what.paths[p];
    std::size_t kernel = 0;
    for (const stage s : way.stages) {
      auto& passes = here.passes.emplace_back();
      std::vector<type_id> types;
      std::vector<std::size_t> at;
      for (std::size_t i = s.begin; i < s.end; ++i)
        if (has_kernel(way.kinds[i])) {
          types.push_back(bound.what.info(way.transforms[i]).is.type);
          at.push_back(i);
        }
      for (std::size_t k = 0; k < types.size();) {
        const auto* pass = known_.longest(std::span<const type_id>(types).subspan(k));
        if (!pass) refuse(way.transforms[at[k]]);
        passes.push_back({pass->run, kernel + k, at[k]});
        k += pass->kernels.size();
      }
      kernel += types.size();
      if (s.end == way.positions()) continue;
      if (!transforms_[way.transforms[s.end]]) refuse(way.transforms[s.end]);
      const bool copies = way.kinds[s.end] == kind::tensorwise && !way.changed_before(s.end);
      if (copies) passes.push_back({&launch_pass<T>, kernel, s.end});
    }
  }
  [[noreturn]] void refuse(std::size_t transform) const {
    throw error("cuda", "Expected transforms that are compiled for a device. Received ",
                bound.what.info(transform).name, ".");
  }
  [[nodiscard]] bool keeps_updates(std::size_t p) const {
    return bound.what.paths[p].crosses_memory() ||
           std::ranges::any_of(paths_[p].passes, [](const auto& passes) { return passes.size() > 1; });
  }

  void place_states() {
    for (const auto& p : store.parameters)
      for (const auto& shape : p.state_shapes) store.state_elements += padded<T>(element_count(shape));
    states_ = device_array<T>(store.state_elements);
    zero(states_.data(), states_.size(), stream_);  // between the arrays as well
    T* free = states_.data();
    std::vector<T> values, state;  // of one parameter: the host may have no room for all
    for (auto& p : store.parameters) {
      values.resize(p.size);
      copy_and_wait<T>(p.data, p.size, values.data());
      for (const std::size_t l : bound.what.paths[p.path].transforms)
        for (std::size_t array = 0; array < bound.what.info(l).is.arrays; ++array) {
          state.resize(element_count(p.state_shapes[p.states.size()]));
          bound.what.code(l).fill(array, state, values.data());
          copy_and_wait<T>(state.data(), state.size(), free);
          p.states.push_back(std::exchange(free, free + padded<T>(state.size())));
        }
    }
  }

  void place_members(std::size_t p, on_path& here, T*& free_updates) {
    const auto& way = bound.what.paths[p];
    std::vector<std::size_t> sizes;
    std::vector<T*> arrays;
    std::vector<device_update<T>> updates;
    for (const std::size_t i : bound.members[p]) {
      const auto& one = store.parameters[i];
      T* update = nullptr;
      if (keeps_updates(p)) update = std::exchange(free_updates, free_updates + padded<T>(one.size));
      sizes.push_back(one.size);
      arrays.insert(arrays.end(), {one.data, update});
      arrays.insert(arrays.end(), one.states.begin(), one.states.end());
      updates.push_back({update, one.info.rows(), one.info.cols(), one.info.order});
    }
    here.sizes = uploaded(sizes);
    here.arrays = uploaded(arrays);
    here.gradients = device_array<const T*>(sizes.size());
    here.known.resize(sizes.size());
    here.chunks = uploaded(chunks_of(sizes, chunk_elements));
    if (most_sums() > 0) {
      const auto chunks = chunks_of(sizes, reduced_elements);
      std::vector<std::uint32_t> first;
      for (std::uint32_t m = 0; m <= sizes.size(); ++m)
        first.push_back(
            static_cast<std::uint32_t>(std::ranges::lower_bound(chunks, m, {}, &chunk::member) - chunks.begin()));
      here.reduced_chunks = uploaded(chunks);
      here.first_reduced = uploaded(first);
      here.partials = device_array<double>(chunks.size() * most_sums());
      here.sums = device_array<double>(sizes.size() * most_sums());
    }
    for (std::size_t k = 0; k < way.positions(); ++k) {
      const std::size_t l = way.transforms[k];
      here.forms.push_back(way.kinds[k] == kind::tensorwise
                               ? transforms_[l]->form(bound.what.info(l).transform(), updates, stream_)
                               : nullptr);
    }
  }

  [[nodiscard]] std::size_t most_sums() const {
    std::size_t most = 0;
    for (const auto& t : bound.what.transforms) most = std::max(most, t.info->is.sums);
    return most;
  }

  void place_sums() {
    if (most_sums() == 0) return;
    std::size_t chunks = 0;
    std::vector<std::uint32_t> ends;
    for (std::size_t phase = 0; phase < bound.what.phases.size(); ++phase) {
      std::size_t in_phase = 0;
      for_each_path([&](std::size_t p, const on_path& here) {
        if (bound.what.paths[p].parts[phase].takes_part) in_phase += here.reduced_chunks.size();
      });
      chunks = std::max(chunks, in_phase);
      ends.insert(ends.end(), {0, static_cast<std::uint32_t>(in_phase)});
    }
    all_chunks_ = uploaded(ends);
    partials_ = device_array<double>(chunks * most_sums());
    sums_ = device_array<double>(bound.what.first_sum.back());
  }

  // ---- stepping -----------------------------------------------------------------------------------

  /// Tells the device where the gradients are, if they are not where they were, before anything else is written. What
  /// is captured may run at any time, often or never: it always says where, and from then on nothing is known.
  void point_to(std::span<const T* const> gradients, bool captured) {
    const auto for_each_path_that_moved = [&](auto f) {
      for_each_path([&](std::size_t p, on_path& here) {
        const auto& members = bound.members[p];
        if (captured || !std::ranges::equal(members, here.known, {}, [&](std::size_t i) { return gradients[i]; }))
          f(members, here);
      });
    };
    for_each_path_that_moved([&](const auto& members, const on_path& here) {
      for (std::size_t m = 0; m < members.size(); ++m)
        if (here.known.empty() || gradients[members[m]] != here.known[m])
          check_on_device("gradient of", store.parameters[members[m]].info.name, gradients[members[m]]);
    });
    for_each_path_that_moved([&](const auto& members, on_path& here) {
      if (captured) here.known.clear();  // for good: no address equals what is not known
      std::ranges::fill(here.known, nullptr);
      using addresses = set_addresses<T>;
      for (std::size_t first = 0; first < members.size(); first += addresses::most) {
        addresses some{here.gradients.data() + first, std::min(addresses::most, members.size() - first), {}};
        for (std::size_t k = 0; k < some.count; ++k) some.addresses[k] = gradients[members[first + k]];
        cuda::launch(stream_, blocks_for(some.count), some);
      }
      for (std::size_t m = 0; m < here.known.size(); ++m) here.known[m] = gradients[members[m]];
    });
  }

  [[nodiscard]] members<T> seen_at(std::size_t p, const on_path& here, std::size_t position,
                                   const device_array<chunk>& chunks) const {
    const auto& way = bound.what.paths[p];
    const std::size_t l = way.transforms[position];
    const bool of_each = way.kinds[position] == kind::parameterwise;
    const auto column = [&](std::size_t at) { return members<T>::first_state + way.first_array[at]; };
    return {.chunks = chunks.data(),
            .chunk_count = chunks.size(),
            .sizes = here.sizes.data(),
            .gradients = here.gradients.data(),
            .arrays = here.arrays.data(),
            .row = members<T>::first_state + way.first_array.back(),
            .from_gradient = !way.changed_before(position),
            .gathered = position > way.gate ? column(way.gate) : 0,
            .states = column(position),
            .sums = of_each ? here.sums.data() : sums_.data() + bound.what.first_sum[l],
            .stride = of_each ? bound.what.info(l).is.sums : 0};
  }

  void run_stage(std::size_t p, on_path& here, std::size_t number) {
    const auto& way = bound.what.paths[p];
    const auto& prepared = bound.prepared[p];
    for (const auto& pass : here.passes[number])
      pass.run(stream_, seen_at(p, here, pass.position, here.chunks), prepared.kernels.data() + pass.first);
    const std::size_t end = way.stages[number].end;
    if (end == way.positions()) return;
    if (way.kinds[end] == kind::tensorwise) {
      (*here.forms[end])(prepared.at[end]);
    } else if (way.kinds[end] == kind::parameterwise) {
      sum_chunks(p, here, end, here.partials.data());
      sum_members(here, way.transforms[end]);
    }
  }

  void sum_chunks(std::size_t p, const on_path& here, std::size_t position, double* partials) const {
    transforms_[bound.what.paths[p].transforms[position]]->sum_chunks(
        stream_, seen_at(p, here, position, here.reduced_chunks), bound.prepared[p].at[position], partials);
  }
  void sum_members(const on_path& here, std::size_t transform) const {
    transforms_[transform]->add_up(stream_, here.partials.data(), here.first_reduced.data(), here.sizes.size(),
                                   here.sums.data());
  }

  // ---- evaluating, saving and loading -------------------------------------------------------------

  /// f(parameter, its y) for those that are averaged.
  template <class F>
  void for_each_y(F f) const {
    T* held = y_.data();
    for (const auto& p : store.parameters)
      if (p.averaged) f(p, std::exchange(held, held + p.size));
  }

  /// On the host, what the device holds: to be saved, or loaded and taken over.
  struct host_mirror {
    storage<T> store;
    std::vector<T> parameters;  ///< one behind the other
  };
  [[nodiscard]] host_mirror mirror() const {
    host_mirror m;
    m.store.parameters = store.parameters;
    m.store.state_elements = store.state_elements;
    m.store.states = allocate<T>(store.state_elements);
    m.store.at_evaluation_point = store.at_evaluation_point;
    std::size_t total = 0;
    for (const auto& p : store.parameters) total += p.size;
    m.parameters.resize(total);
    T* to = m.parameters.data();
    for (auto& p : m.store.parameters) {
      copy(p.data, p.size, to);
      p.data = std::exchange(to, to + p.size);
      for (T*& state : p.states) state = m.store.states.get() + (state - states_.data());
    }
    copy(states_.data(), store.state_elements, m.store.states.get());
    if (store.at_evaluation_point) {
      m.store.held_back.resize(store.parameters.size());
      for_each_y([&](const auto& p, const T* held) {
        auto& y = m.store.held_back[static_cast<std::size_t>(&p - store.parameters.data())];
        y.resize(p.size);
        copy(held, p.size, y.data());
      });
    }
    synchronize(stream_);
    return m;
  }
};

/// Makes the device that the program of an optimizer runs on. `known` stays.
template <class T>
device_maker<T> on_gpu(const launches<T>& known, cudaStream_t stream) {
  return [&known, stream](bound_program<T> bound) {
    return std::make_shared<gpu<T>>(std::move(bound), known, stream);
  };
}

}  // namespace thalweg::cuda::detail
