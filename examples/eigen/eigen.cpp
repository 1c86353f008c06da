// A small network written in Eigen: matrices and vectors are bound where they are, gradients read where they are.
#include <cstdio>

// snippet: eigen
#include <thalweg/adaptors/eigen.hpp>
#include <thalweg/thalweg.hpp>
using namespace thalweg;

struct network {  // one sample per column
  Eigen::MatrixXf hidden = Eigen::MatrixXf::Random(16, 3), head = Eigen::MatrixXf::Random(2, 16) * 0.3f;
  Eigen::VectorXf bias = Eigen::VectorXf::Zero(16);

  std::vector<parameter<float>> parameters() {
    return {as_parameter("hidden", hidden, role::hidden), as_parameter("bias", bias),
            as_parameter("head", head, role::head)};
  }
};
// end

namespace {

struct gradients {
  Eigen::MatrixXf hidden, head;
  Eigen::VectorXf bias;
};

/// Half the mean squared error, and its gradients.
float backward(const network& net, const Eigen::MatrixXf& x, const Eigen::MatrixXf& y, gradients& g) {
  const auto n = static_cast<float>(x.cols());
  const Eigen::MatrixXf h = ((net.hidden * x).colwise() + net.bias).array().tanh();
  const Eigen::MatrixXf error = (net.head * h - y) / n;
  const Eigen::MatrixXf back = (net.head.transpose() * error).array() * (1 - h.array().square());
  g = {.hidden = back * x.transpose(), .head = error * h.transpose(), .bias = back.rowwise().sum()};
  return error.squaredNorm() * n / 2;
}

template <class Chain>
bool train(const char* name, const Chain& chain, const options& o) {
  std::srand(1);  // Eigen's Random draws from it
  const Eigen::MatrixXf x = Eigen::MatrixXf::Random(3, 256);
  Eigen::MatrixXf y(2, 256);
  y.row(0) = x.row(0).cwiseProduct(x.row(1));
  y.row(1) = x.row(2).array().sin();

  network net;
  gradients g;
  const float before = backward(net, x, y, g);
  // snippet: eigen_training
  auto opt = optimizer(chain, net.parameters(), o);
  for (int step = 0; step < 1000; ++step) {
    backward(net, x, y, g);
    opt.step({as_gradient(g.hidden), as_gradient(g.bias), as_gradient(g.head)});
  }
  const auto at_x = opt.evaluation_point();
  const float after = backward(net, x, y, g);
  // end
  std::printf("%-22s loss %.5f -> %.5f\n", name, static_cast<double>(before), static_cast<double>(after));
  return after < 0.005f;
}

}  // namespace

int main() {
  const auto center = tensorwise("center_columns", [](tensor<float> u) noexcept {
    as_matrix(u).rowwise() -= as_matrix(u).colwise().mean().eval();
  });
  const auto own = route(when(hidden_matrix, center | nesterov_ema{} | orthogonalize_update{}),
                         otherwise(scale_by_adam{})) | linear{.steps = 1000};
  const bool amuse = train("AMUSE", recipes::amuse(), {.lr = 0.02, .warmup_steps = 50});
  const bool composed = train("a chain of one's own", own, {.lr = 0.01});
  return amuse && composed ? 0 : 1;
}
