// A layer fitted on a GPU, by a chain with a transform of your own; its steps are launched as a graph.
#include <cstddef>
#include <cstdio>
#include <span>
#include <vector>

// snippet: cuda_transform
#include <thalweg/cuda/optimizer.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

struct sign_momentum {  // the same code as for the host
  double beta = 0.9;
  using states = state<zeros<"momentum">>;
  constexpr auto at(const context&) const {
    return [b = beta]<class T>(element<T> e, T momentum) {
      momentum = lerp(e.update, momentum, b);
      return next(sign(momentum), momentum);
    };
  }
};

const auto chain_of_mine = clip_by_global_norm{.max_norm = 10} |
                           route(when(hidden_matrix, nesterov_ema{} | orthogonalize_update{}),
                                 otherwise(sign_momentum{.beta = 0.8})) |
                           update_by_schedule_free{};
// end

namespace {

constexpr std::size_t outputs = 8, inputs = 16, samples = 64;

// y = Wx + b
struct layer {
  float *weights, *bias, *weights_gradient, *bias_gradient;
  const float *x, *y;

  __device__ float error(std::size_t sample, std::size_t row) const {
    float sum = bias[row] - y[sample * outputs + row];
    for (std::size_t j = 0; j < inputs; ++j) sum += weights[row * inputs + j] * x[sample * inputs + j];
    return sum;
  }
};

__global__ void backward(layer l) {  // of the mean of the squares, a thread for each weight
  const std::size_t row = blockIdx.x, col = threadIdx.x;
  float of_weight = 0, of_bias = 0;
  for (std::size_t s = 0; s < samples; ++s) {
    const float e = l.error(s, row) * 2 / samples;
    of_weight += e * l.x[s * inputs + col];
    of_bias += e;
  }
  l.weights_gradient[row * inputs + col] = of_weight;
  if (col == 0) l.bias_gradient[row] = of_bias;
}

float noise(std::size_t i) { return static_cast<float>((i * 2654435761u >> 7) % 2000) / 1000 - 1; }

float loss(const std::vector<float>& w, const std::vector<float>& b, const std::vector<float>& x,
           const std::vector<float>& y) {
  float sum = 0;
  for (std::size_t s = 0; s < samples; ++s)
    for (std::size_t i = 0; i < outputs; ++i) {
      float e = b[i] - y[s * outputs + i];
      for (std::size_t j = 0; j < inputs; ++j) e += w[i * inputs + j] * x[s * inputs + j];
      sum += e * e / samples;
    }
  return sum;
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("no GPU");
    return 77;
  }
  std::vector<float> x(samples * inputs), y(samples * outputs), w(outputs * inputs), b(outputs);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = noise(i);
  for (std::size_t s = 0; s < samples; ++s)
    for (std::size_t i = 0; i < outputs; ++i) y[s * outputs + i] = x[s * inputs + i] - x[s * inputs + i + 1] / 2;
  const float before = loss(w, b, x, y);

  cudaStream_t stream{};
  cuda::check("a stream", cudaStreamCreate(&stream));
  {
    cuda::device_array<float> weights(w.size()), bias(b.size()), weights_gradient(w.size()), bias_gradient(b.size()),
        inputs_there(x.size()), targets(y.size());
    const auto send = [&](const std::vector<float>& values, const cuda::device_array<float>& there) {
      cuda::copy(values.data(), values.size(), there.data(), stream);
    };
    send(w, weights), send(b, bias), send(x, inputs_there), send(y, targets);
    const layer l{weights.data(),       bias.data(),         weights_gradient.data(),
                  bias_gradient.data(), inputs_there.data(), targets.data()};

    // snippet: cuda_training
    const std::vector<parameter<float>> parameters{
        {.name = "weights", .shape = {outputs, inputs}, .role = role::hidden, .data = weights.data()},  // device memory
        {.name = "bias", .shape = {outputs}, .data = bias.data()}};
    const std::vector<std::span<const float>> gradients{weights_gradient.span(), bias_gradient.span()};

    auto opt = cuda::optimizer(chain_of_mine, parameters, {.lr = 0.02, .warmup_steps = 10}, stream);
    for (int t = 0; t < 100; ++t) {
      backward<<<outputs, inputs, 0, stream>>>(l);
      opt.step(gradients);
    }
    // end

    // snippet: cuda_graph
    cudaGraphExec_t run{};
    for (int t = 0; t < 100; ++t) {
      cuda::check("a capture", cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
      backward<<<outputs, inputs, 0, stream>>>(l);
      opt.step(gradients);  // nothing runs yet; the step's numbers are in the graph
      cudaGraph_t graph{};
      cuda::check("a graph", cudaStreamEndCapture(stream, &graph));
      cudaGraphExecUpdateResultInfo updated{};
      if (run) cuda::check("an update", cudaGraphExecUpdate(run, graph, &updated));
      else cuda::check("an executable graph", cudaGraphInstantiate(&run, graph, 0));
      cuda::check("a graph that goes", cudaGraphDestroy(graph));
      cuda::check("a launch", cudaGraphLaunch(run, stream));
    }
    // end
    cuda::check("an executable graph that goes", cudaGraphExecDestroy(run));

    std::puts(opt.describe().c_str());
    const auto at_x = opt.evaluation_point();
    cuda::copy(weights.data(), w.size(), w.data(), stream);
    cuda::copy(bias.data(), b.size(), b.data(), stream);
    cuda::synchronize(stream);
  }
  cuda::check("a stream that goes", cudaStreamDestroy(stream));
  const float after = loss(w, b, x, y);
  std::printf("loss %g -> %g\n", before, after);
  return after < before / 10 ? 0 : 1;
}
