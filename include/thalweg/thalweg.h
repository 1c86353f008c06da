// The C interface: makes an optimizer from a text, for arrays that you own. C99, and C++.
//
//     const size_t shape[] = {128, 784};
//     const thalweg_parameter parameters[] = {{"w", shape, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, w}};
//     thalweg_options options = thalweg_options_default();
//     options.lr = 0.02;
//     options.warmup_steps = 100;
//     thalweg_optimizer* opt = NULL;
//     if (thalweg_create("amuse(rho=0.5)", THALWEG_FLOAT32, parameters, 1, &options, &opt) != THALWEG_OK)
//       fprintf(stderr, "%s\n", thalweg_last_error());
//     const void* gradients[] = {dw};
//     for (…) { backward(…); thalweg_step(opt, gradients, 1, NULL, NULL); }
//     thalweg_begin_evaluation(opt); validate(…); thalweg_end_evaluation(opt);
//     thalweg_destroy(opt);
//
// Failure. A function that can fail returns a status. If it is not THALWEG_OK, nothing has changed: no parameter, no
// state, no variable for the result. thalweg_last_error() then says what was expected and what was received. A null
// pointer is an error if the argument is needed. No exception leaves the library. The library cannot check two things,
// so you must: arrays are as long as you say, and you do not use a destroyed optimizer.
//
// Memory. You own the arrays of the parameters. Do not move or free them before thalweg_destroy. All other arguments
// (texts, shapes, gradients, options) are read only during the call.
//
// Threads. Several threads may use different optimizers at once, and an optimizer may move from thread to thread.
// Several threads may call functions with the same const optimizer at once, but not while another thread changes it.
//
// Stability. Functions, constants and structs keep their names, layout and meaning. New functions and constants raise
// THALWEG_INTERFACE. Only thalweg_options and the reports grow, at their ends. Transforms and their fields, the texts
// of messages and the format of checkpoints may change with the library's version. Before 1.0 the name of the shared
// library contains the minor version, because of C++ (libthalweg.so.0.1). For the next minor version, link a C
// program again; you need not change or compile it. If it finds the functions by dlsym, you need not link it again
// either.
#ifndef THALWEG_THALWEG_H
#define THALWEG_THALWEG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __GNUC__
#define THALWEG_FUNCTION __attribute__((visibility("default")))
#else
#define THALWEG_FUNCTION
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// The interface that a program was compiled for.
#define THALWEG_INTERFACE 4
/// The interface of the library that the program runs with: the same number or a higher one.
THALWEG_FUNCTION int thalweg_interface(void);
/// The library's version, "0.1.0".
THALWEG_FUNCTION const char* thalweg_version(void);

// Constants are ints, so that the library can refuse a wrong value.

/// The result of a call.
typedef int thalweg_status;
enum {
  THALWEG_OK = 0,
  THALWEG_INVALID_ARGUMENT = 1,  ///< the call is wrong: a text, a number, a shape, a pointer, the order of calls
  THALWEG_OUT_OF_MEMORY = 2,
  THALWEG_CHECKPOINT_REFUSED = 3,  ///< the file cannot be written or read, or it belongs to another optimizer
  THALWEG_FAILED = 4  ///< any other error; see the message
};

/// The message of the last error on this thread: "[where] Expected …. Received ….", or "" if there was none. It is
/// valid until the next error on this thread. Calls that succeed do not change it.
THALWEG_FUNCTION const char* thalweg_last_error(void);

/// The type of an array's elements: C's float or double, or numbers of 16 bits, each a uint16_t. bfloat16 is a float's
/// upper half, float16 is IEEE's binary16. The optimizer computes in double if all parameters are double, otherwise in
/// float. You cannot mix double with other types. The 16-bit types: since interface 4.
typedef int thalweg_dtype;
enum { THALWEG_FLOAT32 = 0, THALWEG_FLOAT64 = 1, THALWEG_BFLOAT16 = 2, THALWEG_FLOAT16 = 3 };

/// What the shape does not show: embeddings and the head are matrices that Muon should not train. A head that is tied
/// to an embedding is one parameter, with the role of an embedding. If a chain depends on the role, it refuses a matrix
/// without one. A vector needs a role only if its branch depends on it. A chain that treats all alike ("adamw") needs
/// none.
typedef int thalweg_role;
enum { THALWEG_UNSPECIFIED = 0, THALWEG_HIDDEN = 1, THALWEG_EMBEDDING = 2, THALWEG_HEAD = 3 };

/// The order of a matrix in memory. C arrays are row-major; column-major is only for matrices.
typedef int thalweg_storage_order;
enum { THALWEG_ROW_MAJOR = 0, THALWEG_COLUMN_MAJOR = 1 };

/// The type of state. Copies of the parameter (z, averages) stay in float. Eight bits: blocks of 256 numbers with a
/// scale. If all parameters are double, only THALWEG_STATE_SAME is allowed. Since interface 4.
typedef int thalweg_state_in;
enum {
  THALWEG_STATE_SAME = 0,  ///< the type of the computation: float, or double
  THALWEG_STATE_FLOAT32 = 1,
  THALWEG_STATE_BFLOAT16 = 2,
  THALWEG_STATE_EIGHT_BITS = 3
};

/// How 16-bit parameters are rounded. Since interface 4.
typedef int thalweg_weights_in;
enum {
  THALWEG_WEIGHTS_EXACT = 0,  ///< training equals that of float, bit for bit: state keeps the lower bits
  THALWEG_WEIGHTS_NEAREST = 1,  ///< each step rounds to nearest: changes below half a unit are lost
  THALWEG_WEIGHTS_STOCHASTIC = 2  ///< each step rounds up or down at random, so that the mean is correct
};

/// An array that the optimizer trains in place. Parameters have distinct names, and memory that does not overlap and is
/// aligned to its element type.
typedef struct thalweg_parameter {
  const char* name;  ///< in UTF-8
  const size_t* shape;  ///< `rank` dimensions; null for rank 0, a single number. An array without elements is left out
  size_t rank;
  thalweg_role role;
  thalweg_storage_order order;
  void* data;
} thalweg_parameter;

/// The settings of the optimizer as a whole. Begin with thalweg_options_default(), then assign.
typedef struct thalweg_options {
  size_t size;             ///< of this struct, as the program was compiled
  double lr;               ///< >= 0; 1e-3
  double weight_decay;     ///< λ >= 0, decoupled; 0
  int64_t warmup_steps;    ///< T₀ >= 0: lr_t = lr · min(1, t/T₀); 0
  double weight_lr_power;  ///< p >= 0 of the average's weight t^r · lr_t^p (Schedule-Free, arXiv 2405.15682); 2
  double r;                ///< >= 0; 0
  int64_t threads;         ///< of a step. 1: only the calling thread. 0, the default: as many as there are cores
  /// One number >= 0 per parameter, which multiplies lr or weight_decay. Null, the default: all 1.
  const double* lr_factors;
  const double* weight_decay_factors;
  /// One text per parameter, or null for no view: "stack" for shape (E, m, n) with E matrices, "filters",
  /// "row_blocks(q=64, k=16, v=16)", "column_blocks(32, 32)", "stack | row_blocks(768, 768, 768)". Each part becomes a
  /// parameter of its own, named "w[0]" or "w.q". You pass one gradient for the whole parameter. With "stack(stride=n)"
  /// there may be gaps: the array and its gradient reach from the first element to the last. Null, the default: no
  /// views. Since interface 3.
  const char* const* views;
  /// One type per parameter. Null, the default: the `dtype` of thalweg_create. This and all below: since interface 4.
  const thalweg_dtype* dtypes;
  /// One type per parameter, for its gradient. Null, the default: the type of the parameter.
  const thalweg_dtype* gradient_dtypes;
  thalweg_state_in state;      ///< THALWEG_STATE_SAME
  thalweg_weights_in weights;  ///< THALWEG_WEIGHTS_EXACT
  uint64_t seed;               ///< of stochastic rounding; 0
} thalweg_options;

/// Defined here, so that it fills the struct as the program was compiled.
static inline thalweg_options thalweg_options_default(void) {
  const thalweg_options options = {sizeof(thalweg_options), 1e-3, 0, 0, 2, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0};
  return options;
}

typedef struct thalweg_optimizer thalweg_optimizer;

/// Makes an optimizer of `count` parameters, of type `dtype` unless the options say otherwise. `chain` is a text of
/// transforms and recipes, as for `parse` of <thalweg/text.hpp>: "amuse", "cosine(steps=6000) | adamw(beta2=0.95)". If
/// `options` is null, all have their defaults.
THALWEG_FUNCTION thalweg_status thalweg_create(const char* chain, thalweg_dtype dtype,
                                               const thalweg_parameter* parameters, size_t count,
                                               const thalweg_options* options, thalweg_optimizer** optimizer);

/// Frees the optimizer. The parameters do not change; during an evaluation point, y is put back first. Null is allowed.
THALWEG_FUNCTION void thalweg_destroy(thalweg_optimizer* optimizer);

/// The report of a step. Begin with thalweg_report_default(), which sets `size`.
typedef struct thalweg_report {
  size_t size;  ///< of this struct, as the program was compiled
  int taken;    ///< 1: the parameters changed. 0: `accumulate` collects gradients, or `when_finite` skipped
  int has_gradient_norm;  ///< 1 if `gradient_norm` was measured: the step was taken, and the chain measures it
  /// The parameter because of which `when_finite` skipped the step. Null if it did not skip, or skipped because of the
  /// loss. Valid until thalweg_destroy.
  const char* not_finite;
  /// The learning rate of the step after the warm-up and the schedules, before a parameter's factor. With several
  /// routes, the largest. 0 if the step was not taken.
  double lr;
  /// The norm of all gradients together. "clip_by_global_norm" (before it clips) and "report_gradient_norm" measure it,
  /// if they are at the head of the chain.
  double gradient_norm;
  size_t without_gradient;  ///< number of parameters without a gradient, which did not change; since interface 3
} thalweg_report;

static inline thalweg_report thalweg_report_default(void) {
  const thalweg_report report = {sizeof(thalweg_report), 0, 0, NULL, 0, 0, 0};
  return report;
}

/// Takes one step: reads the gradients, writes the parameters and the state. `gradients`: one array per parameter, in
/// the order of the parameters, of the same length, aligned, not overlapping any parameter. Null means no gradient: the
/// parameter and its state do not change, and its bias corrections do not count the step. With "accumulate", null
/// counts as zeros, unless all gradients of the step are null. `loss`, for transforms that read it, and `report` may be
/// null. Refused during an evaluation point.
THALWEG_FUNCTION thalweg_status thalweg_step(thalweg_optimizer* optimizer, const void* const* gradients, size_t count,
                                             const double* loss, thalweg_report* report);

/// thalweg_step that also measures. `line` becomes the report as one line of JSON: for each parameter that changed the
/// norms of gradient, update and parameter, their ratio, lr, β_t and c_t. It is null if there was no memory for it.
/// Free the text with thalweg_free. Since interface 3.
THALWEG_FUNCTION thalweg_status thalweg_step_as_json(thalweg_optimizer* optimizer, const void* const* gradients,
                                                     size_t count, const double* loss, thalweg_report* report, char** line);

/// Takes a step with the mean of the gradients that "accumulate" has collected, even if they are too few. If there are
/// none, the report (which may be null) says that no step was taken. thalweg_drop discards them. Since interface 3.
THALWEG_FUNCTION thalweg_status thalweg_flush(thalweg_optimizer* optimizer, thalweg_report* report);
THALWEG_FUNCTION thalweg_status thalweg_drop(thalweg_optimizer* optimizer);

/// The number of steps taken.
THALWEG_FUNCTION thalweg_status thalweg_get_steps(const thalweg_optimizer* optimizer, int64_t* steps);
THALWEG_FUNCTION thalweg_status thalweg_get_lr(const thalweg_optimizer* optimizer, double* lr);
/// Sets an option ("weight_decay") or a transform's field ("scale_by_adam.beta2") from the next step on. If several
/// transforms have this name, it sets all of them; "scale_by_adam#2.beta2" sets the second. A checkpoint stores the
/// value. Since interface 3.
THALWEG_FUNCTION thalweg_status thalweg_set(thalweg_optimizer* optimizer, const char* name, double value);
THALWEG_FUNCTION thalweg_status thalweg_get(const thalweg_optimizer* optimizer, const char* name, double* value);
/// Sets the base learning rate (>= 0), for a schedule of your own. `warmup_steps` still applies.
THALWEG_FUNCTION thalweg_status thalweg_set_lr(thalweg_optimizer* optimizer, double lr);

/// Multiplies the rows of a matrix, and those of what the optimizer keeps as a copy of it (z, averages), so that x is scaled
/// as y is. `name`: of a parameter, or of a part that its view makes ("qkv.q"). `by` holds `count` positive numbers, one for
/// each block of equally many rows. For QK-clip that is pow(fmin(1, 100 / largest_logit), 0.5) for each head, for the queries'
/// rows and for the keys'. Since interface 4.
THALWEG_FUNCTION thalweg_status thalweg_scale_rows(thalweg_optimizer* optimizer, const char* name, const double* by, size_t count);

/// Between begin and end the parameters hold x, the average, which you validate and ship. After the end they hold y
/// again, bit for bit. Without an average, x equals y. A second begin before the end is refused, and an end without a
/// begin.
THALWEG_FUNCTION thalweg_status thalweg_begin_evaluation(thalweg_optimizer* optimizer);
THALWEG_FUNCTION thalweg_status thalweg_end_evaluation(thalweg_optimizer* optimizer);

/// Copies x of a parameter to `out`, which has room for its `elements` numbers and overlaps no parameter. The
/// parameters do not change. The numbers are doubles if all parameters are, otherwise floats. `parameter` counts from
/// 0.
THALWEG_FUNCTION thalweg_status thalweg_averaged(const thalweg_optimizer* optimizer, size_t parameter, void* out,
                                                 size_t elements);

/// Writes all that the next step needs, except the parameters, to a safetensors file. It replaces the file whole or not
/// at all, and may be called during an evaluation point. The content: <thalweg/core/checkpoint.hpp>.
THALWEG_FUNCTION thalweg_status thalweg_save(const thalweg_optimizer* optimizer, const char* path);
/// Continues where thalweg_save stopped, bit for bit. Load the parameters first, as they were then. The chain and the
/// options must be the same, except lr, which is restored, and threads. Refused during an evaluation point.
THALWEG_FUNCTION thalweg_status thalweg_load(thalweg_optimizer* optimizer, const char* path);

/// The report of a load. Begin with thalweg_load_report_default(), which sets `size`.
typedef struct thalweg_load_report {
  size_t size;  ///< of this struct, as the program was compiled
  int checked;  ///< 1: all data agree with their checksums. 0: an earlier version wrote the file, with fewer checksums
} thalweg_load_report;

static inline thalweg_load_report thalweg_load_report_default(void) {
  const thalweg_load_report report = {sizeof(thalweg_load_report), 0};
  return report;
}

/// thalweg_load with a report, which may be null. Since interface 2.
THALWEG_FUNCTION thalweg_status thalweg_load_reporting(thalweg_optimizer* optimizer, const char* path,
                                                       thalweg_load_report* report);

/// The policies of thalweg_load_with; 0 is exact. Since interface 3.
/// THALWEG_PARTIAL: parameters that the file does not have, or has with other states, start with fresh state; others in
/// the file are ignored. Use it to add and remove parameters.
/// THALWEG_KEEP_SETTINGS: the optimizer keeps its own chain and options, including lr: a longer schedule, another decay.
/// Numbers of another type are converted: parameters in bfloat16 may continue from a file of float32.
enum { THALWEG_PARTIAL = 1, THALWEG_KEEP_SETTINGS = 2 };

/// thalweg_load with a policy, the sum of these constants. `differences`, which may be null, becomes a text with one
/// line per difference: "added w", "reshaped w", "missing w", "changed weight_decay: 0.1 there, 0.05 here". Free the
/// text with thalweg_free. Since interface 3.
THALWEG_FUNCTION thalweg_status thalweg_load_with(thalweg_optimizer* optimizer, const char* path, int policy,
                                                  char** differences);

/// A table with the shape, role, chain, state and bytes of each parameter. Free the text with
/// thalweg_free.
THALWEG_FUNCTION thalweg_status thalweg_describe(const thalweg_optimizer* optimizer, char** text);
/// The chain with every field, as the library read it: "apply_update" for "apply_update()". A wrong text gives an error
/// that helps to correct it. Free the text with thalweg_free.
THALWEG_FUNCTION thalweg_status thalweg_to_text(const char* chain, char** text);
/// Frees a text that one of these functions returned. Null is allowed.
THALWEG_FUNCTION void thalweg_free(char* text);

#ifdef __cplusplus
}
#endif

#endif
