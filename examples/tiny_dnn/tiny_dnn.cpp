// A small tiny-dnn network with a convolution, trained by thalweg: with AMUSE, and with a chain of your own.
#include <cstdio>
#include <random>

// snippet: tiny_dnn
#include <thalweg/adaptors/tiny_dnn.hpp>
#include <thalweg/thalweg.hpp>

using network = tiny_dnn::network<tiny_dnn::sequential>;

network make_network() {
  network net;
  net << tiny_dnn::convolutional_layer<tiny_dnn::activation::relu>(8, 8, 3, 1, 4)
      << tiny_dnn::fully_connected_layer<tiny_dnn::activation::tan_h>(6 * 6 * 4, 16)
      << tiny_dnn::fully_connected_layer<tiny_dnn::activation::softmax>(16, 4);
  return net;
}
// end

namespace {

// Images of 8 × 8: a bar that is horizontal or vertical, above or below the middle, in noise.
struct images {
  std::vector<tiny_dnn::vec_t> pixels;
  std::vector<tiny_dnn::label_t> labels;
};
images draw(std::size_t n, unsigned seed) {
  images all;
  std::mt19937 random(seed);
  std::normal_distribution<float> noise(0, 0.4f);
  for (std::size_t i = 0; i < n; ++i) {
    const unsigned label = random() % 4, line = random() % 4 + (label % 2 ? 4 : 0);
    tiny_dnn::vec_t image(64);
    for (auto& pixel : image) pixel = noise(random);
    for (unsigned j = 0; j < 8; ++j) image[label / 2 ? line * 8 + j : j * 8 + line] += 1;
    all.pixels.push_back(image);
    all.labels.push_back(label);
  }
  return all;
}

template <class Chain>
bool train(const char* name, const Chain& chain, const thalweg::options& options) {
  tiny_dnn::set_random_seed(1);
  const auto data = draw(400, 1), held_out = draw(200, 2);
  // snippet: tiny_dnn_training
  auto net = make_network();
  thalweg::tiny_dnn::optimizer opt(chain, net, options);
  net.train<tiny_dnn::cross_entropy_multiclass>(opt, data.pixels, data.labels, 16, 8);
  const auto at_x = opt.evaluation_point();
  const auto result = net.test(held_out.pixels, held_out.labels);
  // end
  std::printf("%s\n%s: accuracy %.1f %%\n\n", opt.describe().c_str(), name, static_cast<double>(result.accuracy()));
  return result.accuracy() > 90;
}

}  // namespace

int main() {
  using namespace thalweg;
  const bool amuse = train("AMUSE", recipes::amuse(), {.lr = 0.02, .warmup_steps = 20});
  const auto chain = clip_by_global_norm{.max_norm = 1} | scale_by_lion{} | linear{.steps = 200};
  const bool own = train("a chain of one's own", chain, {.lr = 0.002});
  return amuse && own ? 0 : 1;
}
