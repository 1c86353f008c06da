// Checkpoints: `optimizer::save(path)` and `load(path)`. One safetensors file has all that the next step needs, except
// the parameters. A resumed run equals the run that never stopped, bit for bit.
//
//     save_weights(model); opt.save("opt.safetensors");
//     …
//     load_weights(model); auto opt = optimizer(chain, parameters, options); opt.load("opt.safetensors");
//
// Content. Tensors, always in row-major order: states as `parameter/transform.slot`, each in its type, with `….scales`
// for eight bits; `parameter/lower_half` or `parameter/in_float32` for exact 16-bit parameters. `__metadata__`: the
// format's version, the chain's text, the options, the steps taken, calls of `step` and losses since the last step, the
// mode, each route's scalars, weights and steps, checksums. Parameters of one route that had gradients in different
// steps have routes of their own here. Numbers are the shortest text that reads back as the same double.
//
// Checksums. Each is XXH3 of 64 bits, in hexadecimal digits, as `xxhash.xxh3_64_hexdigest` of Python's xxhash gives it.
//   checksum of A      the bytes of the array A in the file
//   P/checksum         the parameter P in row-major order, if its route keeps no average
//   P/checksum at y    an averaged parameter at y
//   P/checksum at x    an averaged parameter at x
//   checksum           all other entries of `__metadata__`, sorted by their keys: key, zero byte, text, zero byte
// So `load` refuses a file in which any bit of a number or of a text is damaged. Version 1 of the format has checksums only
// of parameters, by another function. `load` reads such files, and reports that it could not check them.
//
// Parameters. You save them yourself; the checkpoint has a checksum of each as it was in memory.
//   mode y   saved in training. `load` expects the parameters as they were then, and changes none of them. If it finds
//            the x of that moment, the error says so: y cannot be computed from x alone, bit for bit. (It computes x
//            itself. The x of another engine, or of another instruction set, counts as other values.)
//   mode x   saved during an evaluation point, when you save the average as the weights. The file then also has y of the
//            averaged parameters, as `parameter/y`. `load` expects the parameters at x (or already at y), and leaves
//            them at y.
// Other values (older or rounded ones) are refused: load the parameters first, then the optimizer.
//
// These must be the same: the chain, the parameters' names, shapes, types, routes and factors, and all options except
// lr. lr is restored; to change it, set it after `load`. The threads and the order of the parameters may differ. "Bit
// for bit" is true on the same instruction set. A checkpoint does not contain variables of your functions in `tap` or
// `tensorwise`. A field that `fields` does not name is not compared.
//
// `save` replaces the file whole or not at all: it writes to `path.part-…`, syncs and renames. If the process is
// killed, the old file or the new one is there, and perhaps a part, which nothing reads. A symbolic link still points
// to the file, and the permissions do not change. If writing fails or the state is not finite, it throws `error` and
// leaves the old file, which is worth more.
//
// `load` throws `error`, and changes neither the optimizer nor the parameters, if anything is wrong: the file is
// truncated, malformed or damaged, tensors are missing, superfluous, of another type or shape, values are not finite,
// or an evaluation point is active. It holds a second copy of the state until all is checked.
#pragma once

#include <string>
#include <vector>

namespace thalweg {

/// Whether the checkpoint must have the same parameters as the optimizer.
enum class parameter_match {
  exact,
  partial  ///< parameters that it does not have, or has with other states, get fresh state; its others are ignored
};

/// Whether it must have the same chain and options.
enum class setting_match {
  exact,  ///< lr and the values changed by `set` come from the checkpoint
  keep    ///< the optimizer keeps its own, including lr: a longer schedule, another decay; other types are converted
};

/// What `load` accepts.
///
///     const auto report = opt.load("opt.safetensors", {.settings = setting_match::keep});
struct load_policy {
  parameter_match parameters = parameter_match::exact;
  setting_match settings = setting_match::exact;
};

/// The report of a `load`.
struct load_report {
  /// All data agree with their checksums. False for files of version 1, which have none for states and metadata.
  bool checked = true;
  std::vector<std::string> added{};     ///< parameters that the checkpoint does not have: fresh state
  std::vector<std::string> reshaped{};  ///< parameters with other states there: fresh state
  std::vector<std::string> missing{};   ///< parameters that only the checkpoint has
  std::vector<std::string> changed{};   ///< settings that differ: `weight_decay: 0.1 there, 0.05 here`
};

}  // namespace thalweg
