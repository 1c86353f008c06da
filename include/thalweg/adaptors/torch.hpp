// libtorch: an optimizer that trains the parameters of a module in place.
//
//     auto opt = thalweg::torch::optimizer(thalweg::recipes::amuse(), *model, {.lr = 0.02, .warmup_steps = 100});
//     for (auto& batch : *loader) {
//       opt.zero_grad();
//       torch::nll_loss(model->forward(batch.data), batch.target).backward();
//       opt.step();
//     }
//     { const auto at_x = opt.evaluation_point(); validate(*model); }
//
// After `using namespace thalweg`, write `::torch::…` for libtorch's own names.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <thalweg/core/data_of_type.hpp>
#include <thalweg/core/error.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/core/tensor.hpp>

namespace thalweg::torch {

/// A tensor to train: dense, contiguous, on the CPU, of type T. If T is float, also BFloat16 or Half.
template <class T>
struct parameter {
  std::string name{};
  ::torch::Tensor values{};
  thalweg::role role = role::unspecified;
  double lr_factor = 1, weight_decay_factor = 1;
  thalweg::view::list view{};  ///< divides it into parts, as for thalweg::parameter
};

namespace detail {

inline std::optional<number_type> type_of(const ::torch::Tensor& t) {
  switch (t.scalar_type()) {
    case ::torch::kFloat: return number_type::float32;
    case ::torch::kDouble: return number_type::float64;
    case ::torch::kBFloat16: return number_type::bfloat16;
    case ::torch::kHalf: return number_type::float16;
    default: return {};
  }
}

/// Refuses tensors that an optimizer of T cannot read in place. Returns the type of the numbers.
template <class T>
number_type check(std::string_view where, const std::string& what, const ::torch::Tensor& t) {
  if (t.layout() != ::torch::kStrided)
    throw error(where, "Expected ", what, " to be dense. Received it sparse; build the module without sparse(true).");
  if (!t.device().is_cpu())
    throw error(where, "Expected ", what, " on the CPU. Received it on ", t.device().str(),
                "; bind after model->to(torch::kCPU).");
  const auto type = type_of(t);
  if (!type || !thalweg::detail::reads<T>(*type))
    throw error(where, "Expected ", what, " in ", std::is_same_v<T, float> ? "Float, BFloat16 or Half" : "Double",
                ". Received ", ::c10::toString(t.scalar_type()),
                ". A module is bound in float; for double, pass parameters_of<double>(*model).");
  if (!t.is_contiguous())
    throw error(where, "Expected ", what, " to be contiguous. Received it with gaps or in another "
                "order. Replace it by its contiguous().");
  return *type;
}

// Whether one of the components of a dotted name is one of these.
inline bool has_component(const std::string& name, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [dotted = "." + name + "."](std::string_view word) {
    return dotted.find(in_words(".", word, ".")) != std::string::npos;
  });
}
inline bool names_embedding(const std::string& name) {
  return name.find("embed") != std::string::npos || has_component(name, {"wte", "wpe"});
}
inline bool names_head(const std::string& name) {
  return has_component(name, {"lm_head", "head", "classifier", "fc_out", "output"});
}

// A module's own parameters and then its children's, as named_parameters() has them.
template <class T>
class collector {
  std::vector<parameter<T>> found_;
  std::unordered_map<const void*, std::size_t> seen_;
  const void* named_head_ = nullptr;   // the last matrix that a name says to be one
  const void* last_linear_ = nullptr;  // its weight

  void add(std::string name, const ::torch::Tensor& values, role r, view::list v) {
    const auto [position, is_new] = seen_.try_emplace(values.unsafeGetTensorImpl(), found_.size());
    if (is_new) found_.push_back({.name = std::move(name), .values = values, .role = r, .view = std::move(v)});
    else if (r == role::embedding) found_[position->second].role = r;
  }

public:
  void visit(const ::torch::nn::Module& m, const std::string& prefix) {
    const bool embeds = dynamic_cast<const ::torch::nn::EmbeddingImpl*>(&m) ||
                        dynamic_cast<const ::torch::nn::EmbeddingBagImpl*>(&m);
    if (const auto* linear = dynamic_cast<const ::torch::nn::LinearImpl*>(&m))
      last_linear_ = linear->weight.unsafeGetTensorImpl();
    const bool convolves = dynamic_cast<const ::torch::nn::Conv1dImpl*>(&m) ||
                           dynamic_cast<const ::torch::nn::ConvTranspose1dImpl*>(&m);
    for (const auto& p : m.named_parameters(/*recurse=*/false)) {
      const auto name = prefix + p.key();
      const bool embedding = embeds || names_embedding(name);
      if (!embedding && p.value().dim() > 1 && names_head(name)) named_head_ = p.value().unsafeGetTensorImpl();
      const bool filters = convolves && p.value().dim() == 3;
      add(name, p.value(), embedding ? role::embedding : role::hidden,
          filters ? view::list{view::filters{}} : view::list());
    }
    for (const auto& child : m.named_children()) visit(*child.value(), prefix + child.key() + ".");
  }

  std::vector<parameter<T>> parameters() && {
    if (const auto head = seen_.find(named_head_ ? named_head_ : last_linear_); head != seen_.end())
      if (auto& p = found_[head->second]; p.role == role::hidden) p.role = role::head;
    return std::move(found_);
  }
};

}  // namespace detail

/// The parameters of a module with their names and guessed roles. You may change a wrong role before binding;
/// `describe()` shows the roles.
///
/// The role comes from a parameter's full dotted name. Its components are the parts between the dots. Case matters.
///
/// | role | whose |
/// |---|---|
/// | embedding | `nn::Embedding`, `nn::EmbeddingBag`; a component that contains `embed`, or that is `wte` or `wpe` |
/// | head | the last matrix or filter with a component from the list below; if there is none, the last `nn::Linear` |
/// | hidden | all others |
///
/// The words: `lm_head`, `head`, `classifier`, `fc_out`, `output`. "Last" is in the order of `named_parameters()`.
/// There is at most one head: several matrices with such names are layers of one head (`classifier.0`, `classifier.3`),
/// or belong to blocks (`layer.0.output`). An embedding is never a head. If the head is tied to an embedding, there is
/// no head.
///
/// A tensor that several modules share appears once, under its first name. The weights of `nn::Conv1d` and
/// `nn::ConvTranspose1d` have the view `filters`. For other parameters of rank 3, set a view if the chain works on
/// matrices.
///
///     auto parameters = thalweg::torch::parameters_of(*model);
///     parameters.front().role = thalweg::role::embedding;
///     auto opt = thalweg::torch::optimizer(thalweg::recipes::amuse(), parameters, {.lr = 0.02});
template <class T = float>
std::vector<parameter<T>> parameters_of(const ::torch::nn::Module& model) {
  detail::collector<T> all;
  all.visit(model, "");
  return std::move(all).parameters();
}

/// Tensors without a module. Their names are their numbers. They have no roles.
template <class T = float>
std::vector<parameter<T>> parameters_of(const std::vector<::torch::Tensor>& tensors) {
  std::vector<parameter<T>> all;
  for (const auto& t : tensors) all.push_back({.name = in_words(all.size()), .values = t});
  return all;
}

/// What an undefined gradient means.
enum class undefined_gradients { are_none, are_zero };

/// An optimizer that reads the gradients of `backward()` and trains the parameters in place, without copies. Parameters
/// that require no gradients at binding are left out.
///
/// * If a gradient is undefined (an expert that was not used), the parameter and its state do not change, as in
///   PyTorch. With `undefined_gradients::are_zero` it counts as zeros instead: momentum and weights decay. `step()`
///   throws if no parameter has a gradient.
/// * After `requires_grad_(false)` a parameter does not change. Its state is kept until you unfreeze it.
/// * If the memory of a parameter was replaced after binding (`model->to(…)`, `torch::load`), every call throws. Then
///   bind a new optimizer. The old one keeps the old memory alive and does not write it.
template <class T>
class optimizer {
  using memory = std::vector<::torch::Storage>;

  std::vector<parameter<T>> parameters_;
  std::shared_ptr<const memory> memory_;
  std::vector<const void*> bound_;
  thalweg::optimizer<T> engine_;
  std::vector<gradient_view> gradients_;
  undefined_gradients undefined_ = undefined_gradients::are_none;
  ::torch::Tensor zeros_;

public:
  /// `chain`: as for `thalweg::optimizer`.
  template <class Given>
  optimizer(const Given& chain, std::vector<parameter<T>> parameters, const options& o,
            undefined_gradients undefined = undefined_gradients::are_none)
      : parameters_(trainable(std::move(parameters))), memory_(storages()), bound_(pointers()),
        engine_(chain, views(), o), undefined_(undefined) {}
  template <class Given>
  optimizer(const Given& chain, const ::torch::nn::Module& model, const options& o,
            undefined_gradients undefined = undefined_gradients::are_none)
      : optimizer(chain, parameters_of<T>(model), o, undefined) {}
  template <class Given>
  optimizer(const Given& chain, const std::vector<::torch::Tensor>& tensors, const options& o,
            undefined_gradients undefined = undefined_gradients::are_none)
      : optimizer(chain, parameters_of<T>(tensors), o, undefined) {}

  /// Takes one step with the gradients of the tensors, like `thalweg::optimizer::step`.
  step_report step(const step_inputs& inputs = {}) {
    check_bound("step");
    gradients_.clear();
    std::size_t defined = 0;
    for (const auto& p : parameters_) {
      const ::torch::Tensor gradient = p.values.requires_grad() ? p.values.grad() : ::torch::Tensor();  // frozen: none
      if (gradient.defined()) {
        const auto type = detail::check<T>("step", "the gradient of '" + p.name + "'", gradient);
        gradients_.emplace_back(gradient.data_ptr(), static_cast<std::size_t>(gradient.numel()), type);
        ++defined;
      } else {
        gradients_.push_back(undefined_ == undefined_gradients::are_zero ? zeros(p.values.numel()) : gradient_view());
      }
    }
    if (defined == 0)
      throw error("step", "Expected a gradient. Received none for any parameter; call backward() first.");
    const auto report = engine_.step(gradients_, inputs);
    if (report.taken)  // a graph that was built before the step must not be differentiated after it
      for (const auto& p : parameters_) p.values.unsafeGetTensorImpl()->bump_version();
    return report;
  }

  /// Sets all gradients to zero.
  void zero_grad() {
    for (auto& p : parameters_)
      if (auto& gradient = p.values.mutable_grad(); gradient.defined()) gradient.detach_().zero_();
  }

  /// While the guard lives, the module holds x, the average.
  [[nodiscard]] auto evaluation_point() {
    check_bound("evaluation_point");
    struct at_x {  // the memory must outlive what is put back into it
      std::shared_ptr<const memory> kept;
      evaluation_guard<T> guard;
    };
    return at_x{memory_, engine_.evaluation_point()};
  }

  /// x of parameters()[i], in a new tensor of type T.
  [[nodiscard]] ::torch::Tensor averaged(std::size_t i) const {
    check_bound("averaged");
    if (i >= parameters_.size())
      throw error("averaged", "Expected an index below ", parameters_.size(), ". Received ", i, ".");
    auto out = ::torch::empty(parameters_[i].values.sizes(), ::c10::CppTypeToScalarType<T>::value);
    engine_.averaged(i, {out.template data_ptr<T>(), static_cast<std::size_t>(out.numel())});
    return out;
  }

  /// Checkpoints, like `thalweg::optimizer`. To resume: torch::load the model, bind, load the optimizer.
  void save(const std::string& path) const {
    check_bound("save");
    engine_.save(path);
  }
  load_report load(const std::string& path) {
    check_bound("load");
    return engine_.load(path);
  }

  /// The trained tensors, in the order of binding.
  [[nodiscard]] const std::vector<parameter<T>>& parameters() const { return parameters_; }
  [[nodiscard]] long steps() const { return engine_.steps(); }
  [[nodiscard]] double lr() const { return engine_.lr(); }
  void lr(double lr) { engine_.lr(lr); }
  [[nodiscard]] std::string describe() const { return engine_.describe(); }
  /// The optimizer behind this one, for all its other members.
  [[nodiscard]] thalweg::optimizer<T>& engine() { return engine_; }

private:
  gradient_view zeros(std::int64_t n) {  // one for all: gradients are only read
    if (!zeros_.defined() || zeros_.numel() < n) {
      std::int64_t largest = 0;
      for (const auto& p : parameters_) largest = std::max(largest, p.values.numel());
      zeros_ = ::torch::zeros({largest}, ::c10::CppTypeToScalarType<T>::value);
    }
    return {zeros_.data_ptr(), static_cast<std::size_t>(n), thalweg::detail::type_of<T>};
  }

  static std::vector<parameter<T>> trainable(std::vector<parameter<T>> given) {
    for (const auto& p : given)
      if (!p.values.defined())
        throw error("torch", "Expected values for '", p.name, "'. Received an undefined tensor.");
    std::erase_if(given, [](const auto& p) { return !p.values.requires_grad(); });
    if (given.empty()) throw error("torch", "Expected a parameter that requires gradients. Received none.");
    for (const auto& p : given) {
      detail::check<T>("torch", "'" + p.name + "'", p.values);
      if (!p.values.is_leaf())
        throw error("torch", "Expected '", p.name, "' to be a leaf. Received the result of an operation, which gets no "
                    "gradient.");
    }
    return given;
  }
  std::shared_ptr<const memory> storages() const {
    memory all;
    for (const auto& p : parameters_) all.push_back(p.values.storage());
    return std::make_shared<const memory>(std::move(all));
  }
  std::vector<const void*> pointers() const {
    std::vector<const void*> all;
    for (const auto& p : parameters_) all.push_back(p.values.data_ptr());
    return all;
  }
  std::vector<thalweg::parameter<T>> views() const {
    std::vector<thalweg::parameter<T>> all;
    for (const auto& p : parameters_)
      all.push_back({.name = p.name,
                     .shape = {p.values.sizes().begin(), p.values.sizes().end()},
                     .role = p.role,
                     .data = thalweg::detail::data_of_type<T>("torch", p.name, p.values.data_ptr(), *detail::type_of(p.values)),
                     .lr_factor = p.lr_factor,
                     .weight_decay_factor = p.weight_decay_factor,
                     .view = p.view});
    return all;
  }

  void check_bound(std::string_view where) const {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const auto& name = parameters_[i].name;
      const auto& now = parameters_[i].values;
      // The old storage is kept: no other can lie at its address.
      if (now.layout() != ::torch::kStrided || !now.device().is_cpu() || now.data_ptr() != bound_[i])
        throw error(where, "Expected '", name, "' in the memory in which it was bound. Received it in another: "
                    "model->to(…) or torch::load(…) replaced it; bind a new optimizer.");
    }
  }
};

template <class Given, class T>
optimizer(Given, std::vector<parameter<T>>, options, undefined_gradients = undefined_gradients::are_none) -> optimizer<T>;
template <class Given>
optimizer(Given, const ::torch::nn::Module&, options, undefined_gradients = undefined_gradients::are_none) -> optimizer<float>;
template <class Given>
optimizer(Given, std::vector<::torch::Tensor>, options, undefined_gradients = undefined_gradients::are_none) -> optimizer<float>;

}  // namespace thalweg::torch
