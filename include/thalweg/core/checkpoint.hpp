// Checkpoints: `optimizer::save(path)` and `load(path)`. All that the next step depends on, besides the parameters
// themselves, in one safetensors file; a run that is resumed from it goes on bit for bit as if it had never stopped.
//
//     save_weights(model); opt.save("opt.safetensors");
//     …
//     load_weights(model); auto opt = optimizer(chain, parameters, options); opt.load("opt.safetensors");
//
// What is in it. Tensors in row-major order, whatever the parameter's: states as `parameter/transform.slot`, each in its type,
// those of eight bits beside `….scales`; what 16 bits leave out, as `parameter/lower_half` or `parameter/in_float32`.
// `__metadata__`: the format's version, the chain's text, the options, the steps taken, calls of `step` and losses since, the
// mode, each route's scalars, weights and steps, checksums. Parameters of one route that had gradients in different steps
// have routes of their own. Numbers are written as the shortest text that reads back as the same double.
//
// Checksums. Each is XXH3 of 64 bits, in hexadecimal digits, as `xxhash.xxh3_64_hexdigest` of Python's xxhash gives it.
//   checksum of A      the bytes of the array A in the file
//   P/checksum         the parameter P in row-major order, where its route keeps no average
//   P/checksum at y    an averaged parameter at y
//   P/checksum at x    an averaged parameter at x
//   checksum           all other entries of `__metadata__`, sorted by their keys: key, zero byte, text, zero byte
// So `load` refuses a file in which any bit of a number or of a text is damaged. Version 1 of the format had checksums of
// parameters alone, by another function. Such files can be loaded, and `load` reports that they were not checked.
//
// Where the parameters are. They are the user's to save; the checkpoint has a checksum of each as it was in memory.
//   mode y   saved in training. `load` expects the parameters as they were then, and touches none of them. Where it
//            finds the x of that moment it says so: y cannot be computed from x alone, bit for bit. (It computes x
//            itself. The x of another engine, or of another instruction set, counts as other values.)
//   mode x   saved while an evaluation point lives, when the weights that one saves are the average. The file then
//            holds y too, as `parameter/y`, for those that are averaged; `load` expects the parameters at x (or already
//            at y) and leaves them at y.
// Other values (older ones, or rounded on their way) are refused: load the parameters first, then the optimizer.
//
// What must be the same: the chain, the parameters' names, shapes, type, routes and factors, and all options but lr.
// lr changes in training and is restored. Set another lr after `load`. The threads and the order of the parameters may
// differ. "Bit for bit" holds on the same instruction set. No checkpoint holds what a function of the user keeps to
// itself, in a `tap` or `tensorwise`. A field that `fields` does not name is not compared.
//
// `save` replaces the file whole or not at all: it writes beside it, to `path.part-…`, syncs and renames. Killed at
// any moment it leaves the old file or the new one, and perhaps such a part, which nothing reads. A symbolic link goes
// on to point to the file, and an old file's permissions stay. Throws `error`, and leaves the old file, where that
// fails and where the state is not finite: the checkpoint before it is worth more.
//
// `load` throws `error`, and changes neither the optimizer nor the parameters, where anything is not as it must be: a
// file that is cut off, malformed or damaged, tensors that are missing, too many, of another type or shape, values that
// are not finite, an evaluation point that lives. It holds a second copy of the state until all is checked.
#pragma once

#include <string>
#include <vector>

namespace thalweg {

/// Whether the checkpoint must have the same parameters as the optimizer.
enum class parameter_match {
  exact,
  partial  ///< parameters that it lacks, or has with other states, start anew; what it has besides is left out
};

/// Whether it must have the same chain and options.
enum class setting_match {
  exact,  ///< lr, and what `set` has changed, come from the checkpoint
  keep    ///< the optimizer keeps its own, lr included: a longer schedule, another decay; numbers of another type are converted
};

/// What `load` accepts.
///
///     const auto report = opt.load("opt.safetensors", {.settings = setting_match::keep});
struct load_policy {
  parameter_match parameters = parameter_match::exact;
  setting_match settings = setting_match::exact;
};

/// What became of a `load`.
struct load_report {
  /// All that was read agrees with its checksum. False for files of version 1, which have none of states and metadata.
  bool checked = true;
  std::vector<std::string> added{};     ///< parameters that the checkpoint lacks: they start anew
  std::vector<std::string> reshaped{};  ///< parameters whose states are others there: they start anew
  std::vector<std::string> missing{};   ///< parameters of the checkpoint that the optimizer lacks
  std::vector<std::string> changed{};   ///< settings that differ: `weight_decay: 0.1 there, 0.05 here`
};

}  // namespace thalweg
