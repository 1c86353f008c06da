// A program: the description of a chain that the engine runs, before the chain is bound to parameters. The compiler makes
// it from a chain's types (core/lower.hpp), or the library makes it from a chain's text. The engine does not know which.
//
//     chain → program: routes, transforms, passes → optimizer
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <thalweg/core/arrays.hpp>
#include <thalweg/core/plan.hpp>
#include <thalweg/core/stored.hpp>

namespace thalweg::detail {

/// One array or scalar of a transform's state.
struct slot {
  std::string name;
  slot_kind what;
  bool of_its_shape = false;  ///< an array of the parameter's
  bool holds_weights = false;
};

/// A field of a transform that is a number and may change between steps.
struct number_field {
  std::string_view name;
  std::size_t field;  ///< its number among the transform's fields
  double value;
  bool is_whole;
};

/// A transform with its hyper-parameters, without its type: the part that does not depend on the numbers' type.
class transform_info {
public:
  virtual ~transform_info() = default;

  traits is;
  std::string name;
  std::vector<slot> slots;

  [[nodiscard]] virtual std::string text() const = 0;
  /// The transform itself, of the type `is.type`; null if it is made of others.
  [[nodiscard]] virtual const void* transform() const { return nullptr; }
  /// Refuses a parameter.
  virtual void check(const parameter_info&) const {}
  [[nodiscard]] virtual std::size_t scratch(const parameter_info&) const { return 0; }
  [[nodiscard]] virtual std::string computed_by() const { return ""; }
  [[nodiscard]] virtual std::string_view remark() const { return ""; }
  [[nodiscard]] virtual std::vector<number_field> numbers() const { return {}; }
  [[nodiscard]] virtual double initial(std::size_t /*scalar*/) const { return 0; }
  [[nodiscard]] virtual std::vector<std::size_t> shape(std::size_t array, const parameter_info& p) const = 0;
  /// For a transform that may stop a step: whether the step continues, given the sum.
  [[nodiscard]] virtual bool proceeds(double /*sum*/) const { return true; }
  /// For the same: how many steps in a row it may stop.
  [[nodiscard]] virtual std::optional<long> limit() const { return {}; }
  /// For a gate: whether this call of `step` continues.
  [[nodiscard]] virtual bool opens(long /*call*/) const { return true; }
};

/// A field, by its number among the transform's fields, and its value in this step.
struct field_value_now {
  std::size_t field;
  double value;
};

/// The stored arrays of a parameter, if not all have the type of the computation.
template <class T>
struct stored_arrays {
  stored_array parameter, gradient;
  const stored_array* states;
  rounding weights;      ///< of the parameter
  std::uint64_t stream;  ///< for the stochastic rounding of the states
  // Room of the worker: `tile_elements` of the parameter, the gradient and each state; a pointer for each state; and a whole
  // parameter and gradient, where a tensor-wise transform sees them.
  T* tiles;
  T** states_in_tiles;
  T* whole;
};

/// One parameter on its way through a chain.
template <class T>
struct in_flight {
  tensor<const T> parameter;
  T* data;            ///< the parameter, to be written
  const T* gradient;  ///< as the user gave it
  T* const* states;
  const std::vector<std::size_t>* state_shapes;
  T* update;  ///< memory for a whole update, if a barrier needs it
  T* tile;    ///< room for `tile_elements` of it
  std::span<T> scratch;
  const stored_arrays<T>* stored_as = nullptr;
  measured_sums* measured = nullptr;  ///< for the measured norms of the last stage, if it measures
};

/// The same transform, for numbers of one type. `prepare` runs once a step and makes what the step needs, in memory that
/// the engine owns. The other members read that memory. The engine calls only the members that fit the kind of the
/// transform.
template <class T>
class transform_code {
public:
  virtual ~transform_code() = default;

  std::size_t prepared_size = 0;
  bool may_throw = false;  ///< while a step writes

  /// Refuses fields that numbers of this type cannot hold; the fields in `now` have the values given there.
  virtual void check_fields(std::span<const field_value_now> /*now*/ = {}) const {}
  /// Creates and destroys the prepared data, at `memory`.
  virtual void construct(void* /*memory*/) const {}
  virtual void destroy(void* /*memory*/) const noexcept {}
  /// Stores the result of `at`, returns the context for the transforms downstream, and writes the new scalars. Throws
  /// what `at` throws.
  virtual context prepare(const context& c, double* scalars, void* prepared,
                          std::span<const field_value_now> now = {}) const = 0;

  /// The initial values of an array; `parameter` is read if the array has its shape.
  virtual void fill(std::size_t /*array*/, std::span<T> /*values*/, const T* /*parameter*/) const {}
  virtual void apply(const void* /*prepared*/, const whole<T>&, std::span<T> /*scratch*/, T* const* /*states*/,
                     const std::vector<std::size_t>* /*state_shapes*/) const {}
  /// Adds n elements to its sums, `sum_lanes` numbers each.
  virtual void reduce(const void* /*prepared*/, std::size_t /*n*/, const arrays<T>&, double* /*sums*/) const {}
  /// For a model-wise transform: its scalars become those that its sums make of them.
  virtual void learn(const void* /*prepared*/, const double* /*sums*/, double* /*scalars*/) const {}
  /// For a gate: runs the kernel of a call of `step` that does not continue.
  virtual void absorb(long /*call*/, std::size_t /*n*/, const arrays<T>&) const {}
  /// Writes x to `update`. Throws if there is no x. With n = 0 it only checks this.
  virtual void average(const double* /*scalars*/, std::size_t /*n*/, const arrays<T>&) const {}
};

/// Consecutive kernels in one pass over memory. `prepared` and `first_sum` begin with those of the first kernel.
template <class T>
using pass_function = void (*)(std::size_t set, std::size_t n, const arrays<T>& a, const void* const* prepared,
                               const double* sums, const std::size_t* first_sum);

/// Passes, found by the types of the transforms whose kernels they run.
template <class T>
class known_passes {
  struct known {
    std::vector<type_id> kernels;
    pass_function<T> run;
  };
  std::vector<known> all_;

public:
  known_passes();
  known_passes(known_passes&&) noexcept;
  ~known_passes();

  void add(std::span<const type_id> kernels, pass_function<T> run);
  void add(const known_passes& more);
  /// The known pass for the longest prefix of these kernels, and the length of the prefix; null if there is none.
  [[nodiscard]] std::pair<pass_function<T>, std::size_t> longest_for(std::span<const type_id> kernels) const;
};

/// A transform in a chain.
template <class T>
struct any_transform {
  std::shared_ptr<const transform_info> info;
  std::shared_ptr<const transform_code<T>> code;
  pass_function<T> alone = nullptr;  ///< its kernel in a pass of its own
  std::optional<state_in> state{};   ///< the type of its arrays, if not that of the options
};

using predicate_function = std::function<bool(const parameter_info&)>;

/// The tree of a chain: transforms, and routes whose branches are chains. A parameter goes to the first branch whose
/// predicate holds for it.
template <class T>
class nodes {
public:
  struct branch {
    predicate_function holds;  ///< empty: otherwise
    nodes links;
  };
  using node = std::variant<any_transform<T>, std::vector<branch>>;

  nodes();
  nodes(nodes&&) noexcept;
  nodes& operator=(nodes&&) noexcept;
  ~nodes();

  void add(any_transform<T> t);
  void begin_route();
  /// Adds a branch to the last route, and returns its empty chain.
  nodes& add_branch(predicate_function holds);

  [[nodiscard]] const std::vector<node>& list() const { return list_; }

private:
  std::vector<node> list_;
};

/// Kernels [first, first + count) of a path, in one pass.
template <class T>
struct pass {
  std::size_t first, count;
  std::size_t begin;  ///< the position of the first
  pass_function<T> run;
};

/// The number of elements that run through the passes of a stage together. Their update stays in L1 between the passes.
inline constexpr std::size_t tile_elements = 1024;
/// The same for a stage of one pass that measures.
inline constexpr std::size_t measured_elements = 4096;
/// The largest number of sums of a transform.
inline constexpr std::size_t most_sums_of_one = 16;

/// One way through a chain, from the gradient to the parameters.
template <class T>
struct path {
  std::vector<std::size_t> transforms;  ///< of the program, by position
  std::vector<kind> kinds;
  std::vector<std::size_t> first_array, first_scalar;  ///< by position, and how many there are
  std::vector<std::size_t> first_sum;                  ///< by position, among the program's
  std::vector<std::size_t> kernel_sums;                ///< the same, by kernel
  std::vector<stage> stages;
  std::vector<std::vector<pass<T>>> passes;  ///< by stage
  std::vector<part> parts;                   ///< by phase
  std::size_t gate = 0;                      ///< the position of the gate; the length of the way if there is none
  bool begins_changed = false;               ///< with an update, not with the gradient: a branch of `parallel`
  bool ends = false;                         ///< writes the parameter: all except branches of `parallel`

  [[nodiscard]] std::size_t positions() const { return transforms.size(); }
  [[nodiscard]] std::size_t last() const { return positions() - 1; }
  [[nodiscard]] std::size_t position_of(std::size_t transform) const { return position_in(transforms, transform); }
  [[nodiscard]] bool contains(std::size_t transform) const { return position_of(transform) < positions(); }
  /// Whether the update at `position` differs from the gradient.
  [[nodiscard]] bool changed_before(std::size_t position) const;
  /// Whether an update is ever written to memory between two stages.
  [[nodiscard]] bool crosses_memory() const;
  /// Whether an update waits for all others at a model-wise barrier.
  [[nodiscard]] bool waits() const;
};

/// A chain with its transforms, its ways and the passes of their stages.
template <class T>
struct program {
  program();
  program(const program&);
  program(program&&) noexcept;
  program& operator=(program&&) noexcept;
  ~program();

  std::string text;     ///< the chain's
  std::string run_by;   ///< in words, for describe()
  std::size_t set = 0;  ///< the instruction set of the library's passes
  std::vector<any_transform<T>> transforms;  ///< in the order in which they are written, and `apply_update`
  std::vector<path<T>> paths;
  /// The transforms at which all parameters wait for each other, in the order in which they are reached, and the end.
  std::vector<std::size_t> phases;
  std::vector<std::size_t> first_sum;  ///< by transform, and how many there are
  /// The transforms that stop, gate and measure the gradients; the number of all where there is none.
  std::size_t stop = 0, gate = 0, norm = 0;
  std::function<std::size_t(const parameter_info&)> select;  ///< a parameter's path; throws if there is none

  [[nodiscard]] bool may_stop() const { return stop < transforms.size(); }
  [[nodiscard]] bool has_gate() const { return gate < transforms.size(); }
  [[nodiscard]] bool has_norm() const { return norm < transforms.size(); }
  [[nodiscard]] const transform_info& info(std::size_t transform) const { return *transforms[transform].info; }
  [[nodiscard]] const transform_code<T>& code(std::size_t transform) const { return *transforms[transform].code; }
};

/// How the passes of a program run.
template <class T>
struct pass_source {
  bool fused = true;
  std::size_t set = 0;
  std::string run_by{};
  const known_passes<T>* known = nullptr;
};

/// Makes the program of links. If a way does not write the parameters, `end` is added as its last transform. Throws if
/// a transform is at a wrong place.
template <class T>
program<T> make_program(std::string text, nodes<T> links, any_transform<T> end, const pass_source<T>& source);

/// A single way without routes: a branch of `parallel`, which begins with an update.
template <class T>
path<T> make_path(std::span<const any_transform<T>> transforms, std::vector<std::size_t> way,
                  std::span<const std::size_t> first_sum, const pass_source<T>& source, bool begins_changed = false);

/// The prepared data of the transforms of a path, by position and by kernel.
template <class T>
class prepared_path {
  struct life {
    std::shared_ptr<const transform_code<T>> code;
    void* memory;
  };
  std::vector<life> lives_;
  std::unique_ptr<std::byte[]> memory_;

public:
  std::vector<void*> at;
  std::vector<const void*> kernels;

  prepared_path() = default;
  prepared_path(std::span<const any_transform<T>> transforms, const path<T>& p);
  prepared_path(prepared_path&&) noexcept = default;
  ~prepared_path();
};

/// Runs a stage for the elements [begin, end) of a parameter, and the barrier at its end if it needs only this
/// parameter. `sums`: those of the program.
template <class T>
void run_stage(std::span<const any_transform<T>> transforms, std::size_t set, const path<T>& p, const prepared_path<T>& prepared,
               std::size_t stage, const in_flight<T>& one, double* sums, std::size_t begin, std::size_t end);

/// Runs the kernel of the gate, which collects the gradient.
template <class T>
void absorb_at(std::span<const any_transform<T>> transforms, const path<T>& p, long call, const in_flight<T>& one,
               std::size_t begin, std::size_t end);

/// Writes x of a whole parameter to `out`, if it is not of T.
template <class T>
void average_stored(const path<T>& p, const transform_code<T>& code, const double* scalars, const in_flight<T>& one,
                    std::size_t n, T* out);

/// Computes the sums of the transform at a position.
template <class T>
void reduce_at(std::span<const any_transform<T>> transforms, const path<T>& p, const prepared_path<T>& prepared,
               std::size_t position, const in_flight<T>& one, double* sums, std::size_t begin, std::size_t end);

}  // namespace thalweg::detail
