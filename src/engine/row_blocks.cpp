// A matrix that is several, treated as several.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <thalweg/core/combinators.hpp>

namespace thalweg::detail {

namespace {

constexpr std::string_view row_blocks_name = "in_row_blocks";

class row_blocks_info final : public transform_info {
  std::shared_ptr<const transform_info> inner_;
  std::size_t blocks_;

  [[nodiscard]] parameter_info block(parameter_info p) const {
    if (!p.shape.empty()) p.shape.front() /= blocks_;
    return p;
  }

public:
  row_blocks_info(std::shared_ptr<const transform_info> inner, std::size_t blocks)
      : inner_(std::move(inner)), blocks_(blocks) {
    name = row_blocks_name;
    is = {.what = kind::tensorwise, .type = id_of<row_blocks_info>(), .reads_loss = inner_->is.reads_loss};
  }

  [[nodiscard]] std::string text() const override { return call_text(name, to_text(blocks_), inner_->text()); }
  void check(const parameter_info& p) const override {
    if (p.rows() % blocks_ != 0)
      throw error(name, "Expected rows in ", blocks_, " equal blocks. Received ", in_quotes(p.name), " with shape ", p.shape, ".");
    inner_->check(block(p));
  }
  [[nodiscard]] std::size_t scratch(const parameter_info& p) const override {
    return (p.order == storage_order::row_major ? 0 : 3 * block(p).size()) + inner_->scratch(block(p));
  }
  [[nodiscard]] std::vector<number_field> numbers() const override { return inner_->numbers(); }
  [[nodiscard]] std::string computed_by() const override { return inner_->computed_by(); }
  [[nodiscard]] std::vector<std::size_t> shape(std::size_t, const parameter_info& p) const override { return p.shape; }
};

template <class T>
class row_blocks_code final : public transform_code<T> {
  std::shared_ptr<const transform_code<T>> inner_;
  std::size_t blocks_;

public:
  row_blocks_code(std::shared_ptr<const transform_code<T>> inner, std::size_t blocks)
      : inner_(std::move(inner)), blocks_(blocks) {
    this->prepared_size = inner_->prepared_size;
    this->may_throw = inner_->may_throw;
  }

  void check_fields(std::span<const field_value_now> now) const override {
    check_in_range(row_blocks_name, "blocks", static_cast<double>(blocks_), from(1));
    inner_->check_fields(now);
  }
  void construct(void* memory) const override { inner_->construct(memory); }
  void destroy(void* memory) const noexcept override { inner_->destroy(memory); }
  context prepare(const context& c, double* scalars, void* memory, std::span<const field_value_now> now) const override {
    return inner_->prepare(c, scalars, memory, now);
  }
  void apply(const void* memory, const whole<T>& w, std::span<T> scratch, T* const*,
             const std::vector<std::size_t>*) const override {
    const bool together = w.update.order == storage_order::row_major;
    const std::size_t rows = w.update.rows() / blocks_, cols = w.update.cols(), size = rows * cols;
    const std::array shape{rows, cols};
    const auto seen = std::span<const std::size_t>(shape).first(std::min<std::size_t>(w.update.rank(), 2));
    const auto copy_columns = [&](const T* from, std::size_t from_stride, T* to, std::size_t to_stride) {
      for (std::size_t j = 0; j < cols; ++j) std::copy_n(from + j * from_stride, rows, to + j * to_stride);
    };
    for (std::size_t b = 0; b < blocks_; ++b) {
      std::span<T> free = scratch;
      const auto block_of = [&](auto t) {
        auto* data = t.data + b * size;
        if (!together) {  // the block lies in pieces
          copy_columns(t.data + b * rows, w.update.rows(), free.data(), rows);
          data = free.data();
          free = free.subspan(size);
        }
        return decltype(t){data, seen, t.order, t.name, t.begin + b * size};
      };
      const whole<T> given{block_of(w.update), block_of(w.gradient), block_of(w.parameter)};
      inner_->apply(memory, given, free, nullptr, nullptr);
      if (!together) copy_columns(given.update.data, rows, w.update.data + b * rows, w.update.rows());
    }
  }
};

}  // namespace

template <class T>
any_transform<T> make_row_blocks(any_transform<T> inner, long blocks) {
  check_in_range(row_blocks_name, "blocks", static_cast<double>(blocks), from(1));
  const auto count = static_cast<std::size_t>(blocks);
  return {std::make_shared<row_blocks_info>(std::move(inner.info), count),
          std::make_shared<row_blocks_code<T>>(std::move(inner.code), count), nullptr};
}
template any_transform<float> make_row_blocks(any_transform<float>, long);
template any_transform<double> make_row_blocks(any_transform<double>, long);

}  // namespace thalweg::detail
