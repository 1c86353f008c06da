// A transform that is written otherwise, because something was put around it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/program.hpp>

namespace thalweg::detail {

class transform_with_text final : public transform_info {
  std::shared_ptr<const transform_info> inner_;
  std::string text_;

public:
  /// `reads_loss`: what is around it does.
  transform_with_text(std::shared_ptr<const transform_info> inner, bool reads_loss, std::string text)
      : transform_info(*inner), inner_(std::move(inner)), text_(std::move(text)) {
    is.reads_loss = is.reads_loss || reads_loss;
  }

  [[nodiscard]] std::string text() const override { return text_; }
  [[nodiscard]] const void* transform() const override { return inner_->transform(); }
  void check(const parameter_info& p) const override { inner_->check(p); }
  [[nodiscard]] std::size_t scratch(const parameter_info& p) const override { return inner_->scratch(p); }
  [[nodiscard]] std::string computed_by() const override { return inner_->computed_by(); }
  [[nodiscard]] std::string_view remark() const override { return inner_->remark(); }
  [[nodiscard]] std::vector<number_field> numbers() const override { return inner_->numbers(); }
  [[nodiscard]] double initial(std::size_t scalar) const override { return inner_->initial(scalar); }
  [[nodiscard]] std::vector<std::size_t> shape(std::size_t array, const parameter_info& p) const override {
    return inner_->shape(array, p);
  }
  [[nodiscard]] bool proceeds(double sum) const override { return inner_->proceeds(sum); }
  [[nodiscard]] std::optional<long> limit() const override { return inner_->limit(); }
  [[nodiscard]] bool opens(long call) const override { return inner_->opens(call); }
};

}  // namespace thalweg::detail
