// What orthogonalize_update makes of singular values, and in what time: a row for each set of coefficients, number of
// steps and precision. 256 × 1024 matrices; processor time of one thread for 768 × 3072.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <limits>
#include <string>
#include <vector>

#include <Eigen/Dense>

#include <thalweg/transforms.hpp>

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

matrix orthogonalized(const matrix& u, const orthogonalize_update& transform) {
  const parameter_info info{.name = "u", .shape = {std::size_t(u.rows()), std::size_t(u.cols())}};
  std::vector<float> x(u.data(), u.data() + u.size()), scratch(transform.scratch(info));
  transform.apply(context{}, tensor<float>{x.data(), info.shape, storage_order::row_major, info.name},
                  std::span<float>(scratch));
  return Eigen::Map<Eigen::Matrix<float, -1, -1, Eigen::RowMajor>>(x.data(), u.rows(), u.cols()).cast<double>();
}

/// "0.68-1.13 (256)": of the singular values, the least, the greatest, and how many are above a half.
std::string spectrum(const matrix& x) {
  const Eigen::VectorXd squares = Eigen::SelfAdjointEigenSolver<matrix>(x * x.transpose()).eigenvalues().cwiseMax(0);
  char text[64];
  std::snprintf(text, sizeof text, "%.3f-%.3f (%ld)", std::sqrt(squares.minCoeff()), std::sqrt(squares.maxCoeff()),
                long((squares.array() > 0.25).count()));
  return text;
}

double milliseconds(const orthogonalize_update& transform, const matrix& u) {
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 5; ++i) {
    timespec before{}, after{};
    const parameter_info info{.name = "u", .shape = {std::size_t(u.rows()), std::size_t(u.cols())}};
    std::vector<float> x(u.data(), u.data() + u.size()), scratch(transform.scratch(info));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    transform.apply(context{}, tensor<float>{x.data(), info.shape, storage_order::row_major, info.name},
                    std::span<float>(scratch));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    least = std::min(least, 1e3 * double(after.tv_sec - before.tv_sec) + 1e-6 * double(after.tv_nsec - before.tv_nsec));
  }
  return least;
}

}  // namespace

int main() {
  const matrix normal = gaussian(short_side, long_side), low_rank = gaussian(short_side, 8) * gaussian(8, long_side) + 0.01 * normal,
               ill = ill_conditioned(), timed = matrix::Random(768, 3072);
  std::printf("| coefficients | steps | precision | Gaussian | rank 8 + 1%% noise | condition 1e6 | ms |\n");
  std::printf("|---|---|---|---|---|---|---|\n");
  const auto row = [&](const coefficient_set& set, long steps, precision p, norm by = norm::frobenius) {
    const orthogonalize_update t{.scale = none{}, .coefficients = set, .steps = steps, .precision = p, .norm = by};
    std::printf("| %s%s | %ld | %s | %s | %s | %s | %.0f |\n", to_text(set).c_str(),
                by == norm::frobenius ? "" : " after the Schatten norm", steps,
                std::string(to_text(p)).c_str(), spectrum(orthogonalized(normal, t)).c_str(),
                spectrum(orthogonalized(low_rank, t)).c_str(), spectrum(orthogonalized(ill, t)).c_str(),
                milliseconds(t, timed));
    std::fflush(stdout);
  };
  for (const auto p : {precision::float32, precision::bfloat16})
    for (const auto& set : {jordan, polar_express, heavyball, cans, turbo_muon})
      for (const long steps : {3, 4, 5})
        row(set, steps, p);
  for (const auto by : {norm::frobenius, norm::schatten_4}) {
    row(deepseek_v4, 10, precision::float32, by);
    row(polar_express_for{.lower = 1e-4}, 8, precision::float32, by);
    row(cans_for{.lower = 1e-2, .degree = degree::three}, 5, precision::float32, by);
    row(jordan, 3, precision::float32, by);
    row(jordan, 5, precision::float32, by);
  }
}
