// The C interface: an optimizer made from a chain's text, which steps on arrays that you own. C99, and C++.
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
// Failure. What can fail returns a status. Where that is not THALWEG_OK nothing has changed: no parameter, no state, no
// variable that the result was to go to; thalweg_last_error() says in words what was expected and what was received. A
// null pointer where something is needed is such a failure. No exception leaves the library. What no library can see
// stays the caller's to keep: arrays are as long as they are said to be, and a destroyed optimizer is not used again.
//
// Memory. The arrays of the parameters are yours; they stay where they are until thalweg_destroy. All else that you
// pass (texts, shapes, gradients, options) is read during the call alone.
//
// Threads. Distinct optimizers may be used on distinct threads at once, and one may go from thread to thread. Of one
// optimizer, functions that take it as const may be called at once; none of them while another thread changes it.
//
// What is stable. Functions, constants and structs keep their names, layout and meaning. Functions and constants are
// added, which raises THALWEG_INTERFACE; thalweg_options and the reports alone grow, at their ends. Transforms and
// their fields, the words of messages and the format of checkpoints belong to the library's version. Before 1.0 the
// shared library is named after its minor version, because of C++ (libthalweg.so.0.1). For the next minor version you
// link a C program anew. You neither change nor compile it. A program that finds the functions by dlsym is not linked
// anew either.
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
/// The interface of the library that it runs with: that one or a higher.
THALWEG_FUNCTION int thalweg_interface(void);
/// The library's version, "0.1.0".
THALWEG_FUNCTION const char* thalweg_version(void);

// Constants are ints, so that any value may be passed and a wrong one be refused.

/// What became of a call.
typedef int thalweg_status;
enum {
  THALWEG_OK = 0,
  THALWEG_INVALID_ARGUMENT = 1,  ///< the call must be mended: a text, a number, a shape, a pointer, the order of calls
  THALWEG_OUT_OF_MEMORY = 2,
  THALWEG_CHECKPOINT_REFUSED = 3,  ///< the file cannot be written or read, or it is another optimizer's
  THALWEG_FAILED = 4  ///< anything else; the message is all that is known
};

/// Why the last call that failed on this thread did so: "[where] Expected …. Received ….", or "" where none has. It may
/// be read until the next failure on this thread. Calls that succeed leave it as it is.
THALWEG_FUNCTION const char* thalweg_last_error(void);

/// The type of an array's elements: C's float or double, or numbers of 16 bits, each a uint16_t. bfloat16 is a float's upper
/// half, float16 is IEEE's binary16. The optimizer computes in double where all parameters are double, else in float; the two
/// do not go together. The types of 16 bits: since interface 4.
typedef int thalweg_dtype;
enum { THALWEG_FLOAT32 = 0, THALWEG_FLOAT64 = 1, THALWEG_BFLOAT16 = 2, THALWEG_FLOAT16 = 3 };

/// What a shape cannot tell: embeddings and the head are matrices that Muon should leave alone. A head that is tied to
/// an embedding is one parameter, and an embedding. A chain that decides by the role refuses a parameter without one.
/// A vector needs one only if its branch depends on it. A chain that treats all alike ("adamw") asks for none.
typedef int thalweg_role;
enum { THALWEG_UNSPECIFIED = 0, THALWEG_HIDDEN = 1, THALWEG_EMBEDDING = 2, THALWEG_HEAD = 3 };

/// How a matrix lies in memory. C arrays are row-major; column-major is for matrices alone.
typedef int thalweg_storage_order;
enum { THALWEG_ROW_MAJOR = 0, THALWEG_COLUMN_MAJOR = 1 };

/// How state is stored, but for copies of the parameter (z, averages), which stay in float. Eight bits: blocks of 256 numbers
/// with a scale. Where all is double: as it is computed, alone. Since interface 4.
typedef int thalweg_state_in;
enum {
  THALWEG_STATE_SAME = 0,  ///< as it is computed: float, or double
  THALWEG_STATE_FLOAT32 = 1,
  THALWEG_STATE_BFLOAT16 = 2,
  THALWEG_STATE_EIGHT_BITS = 3
};

/// How parameters of 16 bits are kept. Since interface 4.
typedef int thalweg_weights_in;
enum {
  THALWEG_WEIGHTS_EXACT = 0,  ///< training is float's, bit for bit: a state keeps what the 16 bits leave out
  THALWEG_WEIGHTS_NEAREST = 1,  ///< each step rounds to nearest: changes below half a unit are lost
  THALWEG_WEIGHTS_STOCHASTIC = 2  ///< each step rounds up or down by chance, so that the mean is right
};

/// An array that the optimizer trains in place. Parameters have distinct names and memory of their own, aligned to its
/// element type.
typedef struct thalweg_parameter {
  const char* name;  ///< in UTF-8
  const size_t* shape;  ///< `rank` dimensions; an array without elements is left out; null for rank 0, which is one number
  size_t rank;
  thalweg_role role;
  thalweg_storage_order order;
  void* data;
} thalweg_parameter;

/// What is the optimizer's and not a transform's. Begin with thalweg_options_default(), then assign.
typedef struct thalweg_options {
  size_t size;             ///< of this struct, as the program was compiled
  double lr;               ///< >= 0; 1e-3
  double weight_decay;     ///< λ >= 0, decoupled; 0
  int64_t warmup_steps;    ///< T₀ >= 0: lr_t = lr · min(1, t/T₀); 0
  double weight_lr_power;  ///< p >= 0 of the average's weight t^r · lr_t^p (Schedule-Free, arXiv 2405.15682); 2
  double r;                ///< >= 0; 0
  int64_t threads;         ///< on which a step runs; 1: the caller's alone; 0, the default: as many as there are cores
  /// One number >= 0 a parameter: its lr and weight decay, as multiples of these here. Null, the default: all 1.
  const double* lr_factors;
  const double* weight_decay_factors;
  /// One text a parameter, or null where its shape says what it is: "stack" for the (E, m, n) of E matrices, "filters",
  /// "row_blocks(q=64, k=16, v=16)", "column_blocks(32, 32)", "stack | row_blocks(768, 768, 768)". Each part becomes a
  /// parameter of its own, named "w[0]" or "w.q". Its gradient is given with that of the whole. "stack(stride=n)" leaves
  /// gaps: the array and its gradient reach from the first element to the last. Null, the default: no views. Since
  /// interface 3.
  const char* const* views;
  /// One type a parameter. Null, the default: all are of the `dtype` of thalweg_create. Since interface 4, as all below.
  const thalweg_dtype* dtypes;
  /// One type a parameter, of its gradients. Null, the default: they are as the parameters.
  const thalweg_dtype* gradient_dtypes;
  thalweg_state_in state;      ///< THALWEG_STATE_SAME
  thalweg_weights_in weights;  ///< THALWEG_WEIGHTS_EXACT
  uint64_t seed;               ///< of rounding by chance; 0
} thalweg_options;

/// Defined here, so that it fills the struct that the program was compiled with.
static inline thalweg_options thalweg_options_default(void) {
  const thalweg_options options = {sizeof(thalweg_options), 1e-3, 0, 0, 2, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0};
  return options;
}

typedef struct thalweg_optimizer thalweg_optimizer;

/// Makes an optimizer of `count` parameters, of type `dtype` unless the options say otherwise. `chain` names transforms and recipes, as `parse` of
/// <thalweg/text.hpp> reads them: "amuse", "cosine(steps=6000) | adamw(beta2=0.95)". `options` may be null: all are
/// the defaults.
THALWEG_FUNCTION thalweg_status thalweg_create(const char* chain, thalweg_dtype dtype,
                                               const thalweg_parameter* parameters, size_t count,
                                               const thalweg_options* options, thalweg_optimizer** optimizer);

/// Frees it; the parameters stay as they are. At an evaluation point y is put back first. Null is nothing to free.
THALWEG_FUNCTION void thalweg_destroy(thalweg_optimizer* optimizer);

/// What became of a step. Begin with thalweg_report_default(), whose size says what there is room for.
typedef struct thalweg_report {
  size_t size;  ///< of this struct, as the program was compiled
  int taken;    ///< 1: the parameters have moved. 0: not so while `accumulate` gathers, or `when_finite` skips
  int has_gradient_norm;  ///< whether `gradient_norm` was measured: the step was taken, and its chain measures
  /// The name of the parameter because of which `when_finite` skipped the step, until thalweg_destroy. Null if it did not, or
  /// for the sake of the loss.
  const char* not_finite;
  /// The learning rate of the step, after the warm-up and the chain's schedules, and before a parameter's factor. It is
  /// the largest of all routes. 0 if the step was not taken.
  double lr;
  /// The norm of all gradients together: "clip_by_global_norm" (before it clips) and "report_gradient_norm" measure it,
  /// at the head of the chain.
  double gradient_norm;
  size_t without_gradient;  ///< how many parameters stood still, because they had no gradient; since interface 3
} thalweg_report;

static inline thalweg_report thalweg_report_default(void) {
  const thalweg_report report = {sizeof(thalweg_report), 0, 0, NULL, 0, 0, 0};
  return report;
}

/// One step: reads the gradients, writes the parameters and the state. `gradients`: one array a parameter, in the order
/// of the parameters, each as long as its parameter, aligned, and apart from all parameters. Null for a parameter without
/// a gradient: it stands still with its state, and its bias corrections do not count the step. Where "accumulate" gathers,
/// null is a gradient of zeros, unless all gradients of the step are null. `loss`, for the transforms that read it, and
/// `report` may be null. Refused during an evaluation point.
THALWEG_FUNCTION thalweg_status thalweg_step(thalweg_optimizer* optimizer, const void* const* gradients, size_t count,
                                             const double* loss, thalweg_report* report);

/// thalweg_step that measures. `line`: the report as one line of JSON, with the norms of gradient, update and parameter, their
/// ratio, lr, β_t and c_t of each parameter that moved; null where there was no memory for it. The text is the caller's, who
/// gives it to thalweg_free. Since interface 3.
THALWEG_FUNCTION thalweg_status thalweg_step_as_json(thalweg_optimizer* optimizer, const void* const* gradients,
                                                     size_t count, const double* loss, thalweg_report* report, char** line);

/// Takes a step with the gradients that "accumulate" has gathered, even if they are fewer than its steps: their mean. Where
/// there are none, the report (which may be null) says that no step was taken. thalweg_drop forgets them. Since interface 3.
THALWEG_FUNCTION thalweg_status thalweg_flush(thalweg_optimizer* optimizer, thalweg_report* report);
THALWEG_FUNCTION thalweg_status thalweg_drop(thalweg_optimizer* optimizer);

/// How many steps were taken.
THALWEG_FUNCTION thalweg_status thalweg_get_steps(const thalweg_optimizer* optimizer, int64_t* steps);
THALWEG_FUNCTION thalweg_status thalweg_get_lr(const thalweg_optimizer* optimizer, double* lr);
/// Sets a number from the next step on: an option ("weight_decay"), or a transform's field ("scale_by_adam.beta2"). Of
/// several transforms of one name this sets all; "scale_by_adam#2.beta2" sets the second. A checkpoint keeps it. Since
/// interface 3.
THALWEG_FUNCTION thalweg_status thalweg_set(thalweg_optimizer* optimizer, const char* name, double value);
THALWEG_FUNCTION thalweg_status thalweg_get(const thalweg_optimizer* optimizer, const char* name, double* value);
/// Sets the base learning rate (>= 0), for schedules that you keep yourself. `warmup_steps` still applies.
THALWEG_FUNCTION thalweg_status thalweg_set_lr(thalweg_optimizer* optimizer, double lr);

/// From begin to end the parameters hold x, the average, which is what one validates and ships; after that y again, bit
/// for bit. Chains without an average are at x always. Refused: a second begin before the end, an end without a begin.
THALWEG_FUNCTION thalweg_status thalweg_begin_evaluation(thalweg_optimizer* optimizer);
THALWEG_FUNCTION thalweg_status thalweg_end_evaluation(thalweg_optimizer* optimizer);

/// Copies x of a parameter to `out`, which has room for its `elements` numbers, apart from all parameters; these are
/// not touched. The numbers are doubles where all parameters are, else floats. `parameter` counts from 0.
THALWEG_FUNCTION thalweg_status thalweg_averaged(const thalweg_optimizer* optimizer, size_t parameter, void* out,
                                                 size_t elements);

/// Writes all that the next step depends on, besides the parameters themselves, to a safetensors file, which is
/// replaced whole or not at all; during an evaluation point as well. What is in it: <thalweg/core/checkpoint.hpp>.
THALWEG_FUNCTION thalweg_status thalweg_save(const thalweg_optimizer* optimizer, const char* path);
/// Goes on where thalweg_save left off, bit for bit. Load the parameters as they were then first; chain and options
/// must be those of then, but for lr, which is restored, and threads. Refused during an evaluation point.
THALWEG_FUNCTION thalweg_status thalweg_load(thalweg_optimizer* optimizer, const char* path);

/// What became of a load. Begin with thalweg_load_report_default(), whose size says what there is room for.
typedef struct thalweg_load_report {
  size_t size;  ///< of this struct, as the program was compiled
  int checked;  ///< 1: all that was read agrees with its checksum. 0: an earlier version wrote the file, with too few
} thalweg_load_report;

static inline thalweg_load_report thalweg_load_report_default(void) {
  const thalweg_load_report report = {sizeof(thalweg_load_report), 0};
  return report;
}

/// thalweg_load with a report, which may be null. Since interface 2.
THALWEG_FUNCTION thalweg_status thalweg_load_reporting(thalweg_optimizer* optimizer, const char* path,
                                                       thalweg_load_report* report);

/// What thalweg_load_with accepts; 0 is exact. Since interface 3.
/// THALWEG_PARTIAL: parameters that the file lacks, or has with other states, start anew; what it has besides is left out.
/// So parameters are added and removed.
/// THALWEG_KEEP_SETTINGS: the chain and the options, lr included, stay as they are here: a longer schedule, another decay.
/// Numbers of another type are converted: parameters in bfloat16 go on from a file of float32.
enum { THALWEG_PARTIAL = 1, THALWEG_KEEP_SETTINGS = 2 };

/// thalweg_load with a policy, which is a sum of these. `differences`, which may be null, becomes a text of one line a
/// difference: "added w", "reshaped w", "missing w", "changed weight_decay: 0.1 there, 0.05 here". The text is the caller's,
/// who gives it to thalweg_free. Since interface 3.
THALWEG_FUNCTION thalweg_status thalweg_load_with(thalweg_optimizer* optimizer, const char* path, int policy,
                                                  char** differences);

/// A table: each parameter, its shape, role, the chain that it was routed to, its state and its bytes. The text is the
/// caller's, who gives it to thalweg_free.
THALWEG_FUNCTION thalweg_status thalweg_describe(const thalweg_optimizer* optimizer, char** text);
/// A chain as it was understood, with every field: "apply_update" for "apply_update()". Refused with words that help
/// where it is none. The text is the caller's, who gives it to thalweg_free.
THALWEG_FUNCTION thalweg_status thalweg_to_text(const char* chain, char** text);
/// Frees a text that one of these two returned. Null is nothing to free.
THALWEG_FUNCTION void thalweg_free(char* text);

#ifdef __cplusplus
}
#endif

#endif
