#pragma once
// A task: data, a model, its loss and its score. The race's loop and the measurements of the loss's shape use only this
// interface.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/text.hpp>

#include "score.hpp"

namespace race {

enum class examples {
  next,   // of the training set: the next batch, as the model's seed deals them
  fixed,  // of the training set: the same for every seed, unchanged by augmentation
};

enum class judged_on { training, held_out };  // the first training examples; those that never train

// A model of one seed with its batches. It owns its parameters and gradients.
class model {
public:
  virtual ~model() = default;

  virtual std::vector<thalweg::parameter<float>> parameters() = 0;
  // In the order of parameters(), as differentiate() has left them.
  virtual std::vector<std::span<const float>> gradients() = 0;

  // The mean loss at the parameters as they are. Its gradient is left in gradients().
  virtual double differentiate(examples) = 0;
  // Computes no gradient. First recomputes the statistics of batch norms, at the present parameters.
  virtual score judge(judged_on) = 0;

  // The chain trains this model from now on. The optimizer lives as long as the model.
  virtual thalweg::optimizer<float>& bind(const thalweg::parsed_chain&, const thalweg::options&) = 0;
  // One step along gradients(); `loss` is for chains that read it.
  virtual void step(double loss) = 0;
};

enum class data_kind { images, text };

struct description {
  std::string data;     // "Fashion-MNIST"
  std::string model;    // "784–64–64–10 perceptron"
  std::string batches;  // "128 images"
  std::string split;    // "55000 images to train; 10000 to validate that it never trains on"
  std::string unit{};   // of the loss: "bits a byte"; nothing for nats an example
  std::string fused{};  // the names of matrices that are three in one, q over k over v: "*.qkv.weight"
  data_kind kind = data_kind::images;
};

// Data that is read once, and the models that train on it.
class task {
public:
  virtual ~task() = default;
  virtual description describe() const = 0;
  // The same seed gives the same weights and the same batches, whoever trains.
  virtual std::unique_ptr<model> start(unsigned seed) const = 0;
};

struct task_settings {
  std::filesystem::path folder;     // of the data
  std::size_t batch = 0;            // examples a step
  bool tuning = false;              // judged on what chooses settings, instead of what judges the race
  std::vector<std::size_t> hidden;  // widths of a perceptron's hidden layers; nothing for the usual ones
};

struct named_task {
  std::string_view name;
  long steps;  // the usual budget …
  std::size_t batch;
  std::string_view folder;
  std::unique_ptr<task> (*make)(const task_settings&);
};

// The tasks of this program.
std::span<const named_task> all_tasks();

}  // namespace race
