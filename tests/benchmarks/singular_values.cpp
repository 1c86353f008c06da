// What comes of singular values, and in what time: a row for each way to orthogonalise. 256 × 1024 matrices; processor
// time of one thread for a step of 768 × 3072.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <limits>
#include <string>
#include <vector>

#include <Eigen/Dense>

#include <thalweg/core/linear_algebra.hpp>
#include <thalweg/text.hpp>
#include <thalweg/thalweg.hpp>

using namespace thalweg;

namespace {

using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
constexpr Eigen::Index short_side = 256, long_side = 1024;

matrix gaussian(Eigen::Index m, Eigen::Index n) {  // twelve uniform numbers make one that is normal enough
  matrix sum = matrix::Zero(m, n);
  for (int i = 0; i < 12; ++i) sum += 0.5 * matrix::Random(m, n);
  return sum;
}

matrix ill_conditioned() {
  Eigen::JacobiSVD<matrix, Eigen::HouseholderQRPreconditioner> svd(gaussian(short_side, short_side), Eigen::ComputeFullU);
  const matrix v = Eigen::HouseholderQR<matrix>(gaussian(long_side, short_side)).householderQ() * matrix::Identity(long_side, short_side);
  Eigen::VectorXd s(short_side);
  for (Eigen::Index i = 0; i < short_side; ++i) s(i) = std::pow(1e-6, double(i) / double(short_side - 1));
  return svd.matrixU() * s.asDiagonal() * v.transpose();
}

/// Processor time of this thread, in milliseconds.
double now() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e3 * double(t.tv_sec) + 1e-6 * double(t.tv_nsec);
}

/// One transform that orthogonalises, with the learning rate 1: a step moves a matrix by minus its result.
struct orthogonalizer {
  std::vector<float> x;
  optimizer<float> opt;

  orthogonalizer(const std::string& chain, Eigen::Index rows, Eigen::Index cols)
      : x(std::size_t(rows * cols)),
        opt(chain + " | apply_update", {{.name = "u", .shape = {std::size_t(rows), std::size_t(cols)}, .data = x.data()}},
            {.lr = 1, .parallel = sequential()}) {}

  /// What comes of u.
  matrix of(const matrix& u) {
    const Eigen::Matrix<float, -1, -1, Eigen::RowMajor> gradient = u.cast<float>();
    std::ranges::fill(x, 0.0f);
    opt.step({{gradient.data(), std::size_t(gradient.size())}});
    return -Eigen::Map<Eigen::Matrix<float, -1, -1, Eigen::RowMajor>>(x.data(), u.rows(), u.cols()).cast<double>();
  }
};

matrix orthogonalized(const matrix& u, const std::string& chain) { return orthogonalizer(chain, u.rows(), u.cols()).of(u); }

/// "0.68-1.13 (256)": of the singular values, the least, the greatest, and how many are above a half.
std::string spectrum(const matrix& x) {
  const Eigen::VectorXd squares = Eigen::SelfAdjointEigenSolver<matrix>(x * x.transpose()).eigenvalues().cwiseMax(0);
  char text[64];
  std::snprintf(text, sizeof text, "%.3f-%.3f (%ld)", std::sqrt(squares.minCoeff()), std::sqrt(squares.maxCoeff()),
                long((squares.array() > 0.25).count()));
  return text;
}

/// The least of five steps.
double milliseconds(const std::string& chain, const matrix& u) {
  orthogonalizer o(chain, u.rows(), u.cols());
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 5; ++i) {
    const double before = now();
    o.of(u);
    least = std::min(least, now() - before);
  }
  return least;
}

}  // namespace

int main() {
  const matrix normal = gaussian(short_side, long_side), low_rank = gaussian(short_side, 8) * gaussian(8, long_side) + 0.01 * normal,
               ill = ill_conditioned(), timed = matrix::Random(768, 3072);
  std::printf("| chain | Gaussian | rank 8 + 1%% noise | condition 1e6 | ms |\n|:--|--:|--:|--:|--:|\n");
  const auto row = [&](const std::string& chain) {
    std::printf("| `%s` | %s | %s | %s | %.0f |\n", chain.c_str(), spectrum(orthogonalized(normal, chain)).c_str(),
                spectrum(orthogonalized(low_rank, chain)).c_str(), spectrum(orthogonalized(ill, chain)).c_str(),
                milliseconds(chain, timed));
    std::fflush(stdout);
  };
  const auto orthogonalize = [&](const std::string& coefficients, int steps, const std::string& more = "") {
    row("orthogonalize_update(coefficients=" + coefficients + ", steps=" + std::to_string(steps) + ", scale=none" + more + ")");
  };
  for (const char* const set : {"jordan", "polar_express", "heavyball", "cans", "turbo_muon"})
    for (const int steps : {3, 4, 5}) orthogonalize(set, steps);
  for (const char* const by : {"", ", norm=schatten_4"}) {
    orthogonalize("deepseek_v4", 10, by);
    orthogonalize("polar_express_for(lower=1e-4)", 8, by);
    orthogonalize("cans_for(lower=0.01, degree=three)", 5, by);
  }
  orthogonalize("jordan", 5, ", norm=schatten_4");  // without it: above
  row("orthogonalize_rows(fraction=0.25, scale=none)");
  row("orthogonalize_rows(fraction=0.5, scale=none)");
  row("orthogonalize_low_rank(fraction=0.25, scale=none)");
  row("orthogonalize_low_rank(fraction=0.0625, scale=none)");
  row("decorrelate_rows(scale=none)");
  if (linear_algebra::backend().find("bfloat16 by") != std::string::npos)  // else float32 computes them
    for (const char* const set : {"jordan", "polar_express", "heavyball", "cans", "turbo_muon"})
      for (const int steps : {3, 4, 5}) orthogonalize(set, steps, ", precision=bfloat16");
}
