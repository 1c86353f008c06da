// A GPU as one rank of many: gradients are averaged over the ranks' GPUs, each parameter is stepped by its owner's, and given to
// all. The GPUs exchange arrays by NCCL; the ranks agree by MPI.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/cuda/gpu.hpp>

#include "../../mpi/member.hpp"
#include "messages.hpp"

namespace thalweg::nccl::detail {

using thalweg::detail::bound_program;
using thalweg::detail::padded;
using thalweg::detail::stored_array;
using thalweg::detail::type_of;

template <class T>
class rank final : public cuda::detail::gpu<T>, public mpi::detail::member<T> {
  using base = cuda::detail::gpu<T>;
  using of_many = mpi::detail::member<T>;
  using base::bound;
  using base::store;
  using base::stream;
  using of_many::comm;
  using of_many::is_replicated;
  using of_many::me;
  using of_many::or_end_all;
  using of_many::plan_;
  using of_many::ranks;
  using of_many::together;

  std::unique_ptr<gpus> gpus_;
  std::optional<averaging<T>> averaging_;
  std::optional<returning<T>> returning_;  ///< none where all ranks step everything
  device_array<T> mean_;                   ///< the gradients of the parameters here
  std::vector<T*> means_, parameters_;     ///< by parameter; a mean that is not here is null
  std::vector<stored_array> given_;
  std::span<const stored_array> own_;      ///< the gradients of this rank
  std::vector<const T*> own_addresses_;
  bool collects_ = false;                  ///< the gradients still have to be averaged

protected:
  [[nodiscard]] bool is_here(std::size_t i) const override { return this->steps(i); }
  [[nodiscard]] bool shares_steps() const override { return !is_replicated(); }
  /// Of each number all ranks but one have a zero: a sum of these bits is exact, in whatever order.
  void join(double* numbers, std::size_t n) override {
    if (n) check("sums for all", ncclAllReduce(numbers, numbers, n, ncclUint64, ncclSum, gpus_->get(), stream()));
  }

public:
  rank(bound_program<T> what, const cuda::detail::launches<T>& known, cudaStream_t stream, std::shared_ptr<mpi::detail::binding> b,
       mpi::layout l, std::size_t elements_a_message)
      : base(std::move(what), known, stream), of_many(std::move(b), l, elements_a_message) {}

  void bind(const options& o) override {
    this->check_parameters();
    for (const auto& p : store.parameters)
      if (p.is_mixed)
        throw error("nccl", "Expected parameters and state of ", type_of<T>, " on the GPUs of many ranks. Received ", in_quotes(p.info.name),
                    ", of which not all is.");
    std::vector<T> values;
    this->make_plan_together(o, bound, store, [&](std::size_t i) {
      values.resize(store.parameters[i].size);
      this->template copy_and_wait<T>(store.parameters[i].data, values.size(), values.data());
      return std::as_bytes(std::span<const T>(values));
    });
    ncclUniqueId id{};
    together("bind", [&] {
      if (me() == 0) check("an address of the GPUs", ncclGetUniqueId(&id));
    });
    MPI_Bcast(&id, static_cast<int>(sizeof id), MPI_BYTE, 0, comm());
    together("bind", [&] {
      gpus_ = std::make_unique<gpus>(ranks(), id);
      base::bind(o);
      make_ways();
    });
  }

  void check_usable() const override {
    mpi::detail::communicator::check_thread();
    base::check_usable();
  }

  std::span<const stored_array> mean(std::span<const stored_array> own, step_inputs& inputs) override {
    this->take_inputs(inputs);
    own_ = own;
    collects_ = true;
    for (std::size_t i = 0; i < own.size(); ++i)
      given_[i] = own[i].data ? stored_array{means_[i] ? means_[i] : mean_.data(), type_of<T>} : stored_array{};
    return given_;
  }

  void begin_step(std::span<const stored_array> gradients, long number, measure what) override {
    if (cuda::is_capturing(stream())) throw error("nccl", "Expected a stream that does not capture. Received one that does.");
    for (std::size_t i = 0; i < own_.size(); ++i) {
      const T* const address = own_[i].template as<T>();
      const std::string_view name = store.parameters[i].info.name;
      if (!address)
        throw error("nccl", "Expected a gradient of ", type_of<T>, " on the GPUs of many ranks, for ", in_quotes(name), ". Received ",
                    own_[i].type, ".");
      if (address != own_addresses_[i]) cuda::detail::check_on_device("gradient of", name, address, type_of<T>);
      own_addresses_[i] = address;
    }
    base::begin_step(gradients, number, what);
  }
  void run_phase(std::size_t phase) override {
    or_end_all([&] {
      collect();
      base::run_phase(phase);
    });
  }
  void absorb(long call) override {
    or_end_all([&] {
      collect();
      base::absorb(call);
    });
  }
  std::optional<std::size_t> stopped_by() override { return this->first_of_all(base::stopped_by(), store.parameters.size()); }
  void run_phases(std::size_t first) override {
    base::run_phases(first);
    if (returning_) or_end_all([this] { returning_->run(*gpus_, stream(), parameters_); });
  }

  void average(std::size_t i, const thalweg::detail::average_of<T>& by, T* out) const override {
    or_end_all([&] {
      if (is_here(i)) base::average(i, by, out);
      if (is_replicated()) return;
      check("an average for all", ncclBroadcast(out, out, store.parameters[i].size, type_in_message<T>, plan_.owner[i], gpus_->get(), stream()));
    });
  }

  void hold_back(const std::function<void(std::size_t, T*)>& average_into) override {
    or_end_all([&] { base::hold_back(average_into); });
  }

  /// What only one rank throws, for want of memory, ends all: the others already wait for its arrays.
  void save(const thalweg::detail::write_bytes& write, const thalweg::detail::progress& now,
            const std::function<void(std::size_t, T*)>& average_into) const override {
    std::optional<typename base::host_mirror> m;
    or_end_all([&] { m.emplace(this->mirror()); });
    const auto ending_all = [this](auto f) { this->or_end_all(f); };
    this->save_together(m->store, write, now, this->onto_host(average_into, ending_all), true);
  }
  thalweg::detail::loaded_progress load(
      const thalweg::detail::readable_bytes& from, thalweg::detail::progress now, const load_policy& policy,
      const std::function<void(const thalweg::detail::loaded_progress&)>& before_writing) override {
    auto m = this->mirror();
    auto loaded = this->load_together(m.store, from, std::move(now), policy, before_writing, true);
    this->take(m);
    return loaded;
  }

  void describe(thalweg::detail::description& d) const override {
    base::describe(d);
    const mpi::detail::wire as(plan_, std::vector<std::size_t>(store.parameters.size(), sizeof(T)));
    auto t = sent_in_exchange(me(), plan_, as);
    t += sent_by(me(), this->messages_of_means(), as);
    if (returning_) {
      t += sent_by(me(), messages(plan_.by_owner, plan_.by_slice), as);
      t += sent_to_all(me(), plan_, as);
    }
    d.header += in_words(", ", this->words("NCCL", t, store.state_bytes), ")");
  }

private:
  void make_ways() {
    const std::size_t count = store.parameters.size();
    given_.resize(count);
    own_addresses_.resize(count);
    std::size_t elements = 0;
    for (std::size_t i = 0; i < count; ++i) elements += is_here(i) ? padded<T>(store.parameters[i].size) : 0;
    mean_ = device_array<T>(std::max<std::size_t>(1, elements));
    T* free = mean_.data();
    for (std::size_t i = 0; i < count; ++i) {
      parameters_.push_back(store.parameters[i].data);
      means_.push_back(is_here(i) ? std::exchange(free, free + padded<T>(store.parameters[i].size)) : nullptr);
    }
    averaging_.emplace(plan_, me(), this->messages_of_means(), is_replicated() ? plan_.length : plan_.owned(me()));
    if (!is_replicated()) returning_.emplace(plan_, me());
  }

  void collect() {
    if (!std::exchange(collects_, false)) return;
    averaging_->run(*gpus_, stream(), own_addresses_, means_, [this](std::size_t element) {
      return is_replicated() ? element : plan_.place_at_owner(element);
    });
  }
};

}  // namespace thalweg::nccl::detail
