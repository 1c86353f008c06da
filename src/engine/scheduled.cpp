// A transform one of whose numbers follows a schedule.
#include <array>
#include <memory>
#include <utility>

#include <thalweg/core/combinators.hpp>
#include <thalweg/core/error.hpp>

#include "transform_with_text.hpp"

namespace thalweg::detail {

namespace {

template <class T>
class scheduled_code final : public transform_code<T> {
  std::shared_ptr<const transform_code<T>> inner_;
  number_schedule moves_;
  static constexpr std::size_t most_fields = 32;

public:
  scheduled_code(std::shared_ptr<const transform_code<T>> inner, number_schedule moves)
      : inner_(std::move(inner)), moves_(std::move(moves)) {
    this->prepared_size = inner_->prepared_size;
    this->may_throw = inner_->may_throw;
  }

  void check_fields(std::span<const field_value_now> now) const override { inner_->check_fields(now); }
  void construct(void* memory) const override { inner_->construct(memory); }
  void destroy(void* memory) const noexcept override { inner_->destroy(memory); }

  context prepare(const context& c, double* scalars, void* memory, std::span<const field_value_now> outer) const override {
    if (outer.size() >= most_fields)
      throw error("scheduled", "Expected at most ", most_fields, " schedules around one transform. Received more.");
    double value = moves_.value;
    std::array<field_value_now, most_fields> now;
    std::size_t count = 0;
    for (const auto& change : outer) {
      if (change.field == moves_.field) value = change.value;  // of two schedules of one field the inner goes on
      now[count++] = change;
    }
    now[count++] = {moves_.field, scheduled_value(value, c, moves_.schedule)};
    return inner_->prepare(c, scalars, memory, std::span(now).first(count));
  }

  void fill(std::size_t array, std::span<T> values, const T* parameter) const override {
    inner_->fill(array, values, parameter);
  }
  void apply(const void* memory, const whole<T>& w, std::span<T> scratch, T* const* states,
             const std::vector<std::size_t>* state_shapes) const override {
    inner_->apply(memory, w, scratch, states, state_shapes);
  }
  void reduce(const void* memory, std::size_t n, const arrays<T>& a, double* sums) const override {
    inner_->reduce(memory, n, a, sums);
  }
  void learn(const void* memory, const double* sums, double* scalars) const override { inner_->learn(memory, sums, scalars); }
  void absorb(long call, std::size_t n, const arrays<T>& a) const override { inner_->absorb(call, n, a); }
  void average(const double* scalars, std::size_t n, const arrays<T>& a) const override {
    inner_->average(scalars, n, a);
  }
};

}  // namespace

template <class T>
any_transform<T> make_scheduled(any_transform<T> inner, number_schedule moves, std::string text) {
  return {std::make_shared<transform_with_text>(std::move(inner.info), moves.reads_loss, std::move(text)),
          std::make_shared<scheduled_code<T>>(std::move(inner.code), std::move(moves)), inner.alone, inner.state};
}
template any_transform<float> make_scheduled(any_transform<float>, number_schedule, std::string);
template any_transform<double> make_scheduled(any_transform<double>, number_schedule, std::string);

}  // namespace thalweg::detail
