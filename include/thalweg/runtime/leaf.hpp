// A transform whose type is known to its makers alone: what a run-time chain is made of.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeindex>
#include <vector>

#include <thalweg/core/context.hpp>
#include <thalweg/core/pass.hpp>
#include <thalweg/core/path.hpp>
#include <thalweg/core/state.hpp>
#include <thalweg/core/tensor.hpp>

namespace thalweg::runtime::detail {

using thalweg::detail::arrays;
using thalweg::detail::kind;

/// No transform reduces to more numbers.
inline constexpr std::size_t most_sums_of_one = 16;

/// A transform at its place in a path, bound to parameters of one type. What is not its kind's is never called.
template <class T>
class place {
public:
  virtual ~place() = default;

  /// Once a step: keeps what `at` returns, and gives the context for what is downstream. Throws what `at` throws.
  virtual context prepare(const context& c, double* scalars) = 0;
  /// The field (its number in `fields`) becomes `value`, which is checked.
  virtual void change(std::size_t field, double value) = 0;

  /// Its kernel, over n elements; `sums`: what it reduced to.
  virtual void run(std::size_t n, const arrays<T>& a, const double* sums) const noexcept = 0;
  /// The kernel of a call of `step` that it swallows.
  virtual void absorb(long call, std::size_t n, const arrays<T>& a) const = 0;
  /// x, to `a.update`. Throws where there is none; with n = 0 that is all it does.
  virtual void average(const double* scalars, std::size_t n, const arrays<T>& a) const = 0;
  virtual void reduce(std::size_t n, const T* update, const T* gradient, const T* parameter, double* sums) const = 0;
  virtual void apply(const whole<T>& given, std::span<T> scratch, T* const* states,
                     const std::vector<std::size_t>* state_shapes) const = 0;
};

/// One array or scalar of its state.
struct slot {
  std::string name;
  slot_kind what;
  bool of_its_shape = false;  ///< an array of the parameter's
};

/// A field that a schedule may move.
struct moving_field {
  std::string name;
  double value;  ///< as given
  bool moves;    ///< whether it is a number
};

/// What a chain must know of a transform.
struct character {
  kind what = kind::contextual;
  bool writes = false;    ///< ends a chain
  bool averages = false;  ///< and keeps x
  bool stops = false;     ///< may stop a step
  bool swallows = false;  ///< lets some calls of `step` pass
  bool reads_loss = false;
  bool passes_on = false;  ///< changes the context for what is downstream, though element-wise
  std::optional<std::type_index> feeds{}, reads{};
  std::size_t arrays = 0, scalars = 0, sums = 0;
};

class leaf;
using shared_leaf = std::shared_ptr<const leaf>;

/// A transform with its hyper-parameters: a value.
class leaf {
public:
  virtual ~leaf() = default;

  character is;
  std::vector<slot> slots;
  std::vector<moving_field> fields;
  std::string name;

  [[nodiscard]] virtual std::string text() const = 0;
  virtual void check(const parameter_info& p) const = 0;
  /// Its fields, as numbers of the parameters' type.
  virtual void check(std::type_identity<float>) const = 0;
  virtual void check(std::type_identity<double>) const = 0;
  [[nodiscard]] virtual std::size_t scratch(const parameter_info& p) const = 0;
  [[nodiscard]] virtual std::string computed_by() const { return ""; }

  [[nodiscard]] virtual double initial(std::size_t scalar) const = 0;
  [[nodiscard]] virtual std::vector<std::size_t> shape(std::size_t array, const parameter_info& p) const = 0;
  /// An array's first values; `parameter` is read where the array has its shape.
  virtual void fill(std::size_t array, std::span<float> values, const float* parameter) const = 0;
  virtual void fill(std::size_t array, std::span<double> values, const double* parameter) const = 0;

  [[nodiscard]] virtual bool proceeds(double sum) const = 0;
  [[nodiscard]] virtual bool opens(long call) const = 0;
  /// A contextual transform without state, asked as a schedule.
  [[nodiscard]] virtual context at(const context& c) const = 0;
  /// Itself on equal blocks of rows; null where it cannot.
  [[nodiscard]] virtual shared_leaf in_row_blocks(long blocks) const = 0;

  /// Whether `apply` may throw.
  [[nodiscard]] virtual bool may_throw(std::type_identity<float>) const = 0;
  [[nodiscard]] virtual bool may_throw(std::type_identity<double>) const = 0;
  /// `set`: which of compiled::instruction_sets() its passes are run in. Throws where it does not take such parameters.
  [[nodiscard]] virtual std::unique_ptr<place<float>> put(std::type_identity<float>, std::size_t set) const = 0;
  [[nodiscard]] virtual std::unique_ptr<place<double>> put(std::type_identity<double>, std::size_t set) const = 0;
};

}  // namespace thalweg::runtime::detail
