#include <thalweg/adaptors/eigen.hpp>
#include <thalweg/thalweg.hpp>

#include <array>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

using namespace thalweg;

TEST_CASE("as_matrix reads and writes a tensor of either order in place") {
  std::array<float, 6> memory{1, 2, 3, 4, 5, 6};
  const std::array<std::size_t, 2> shape{2, 3};

  auto by_rows = as_matrix(tensor<float>{memory.data(), shape, storage_order::row_major, "w"});
  CHECK(by_rows.rows() == 2);
  CHECK(by_rows.cols() == 3);
  CHECK(by_rows(0, 2) == 3);
  CHECK(by_rows(1, 0) == 4);
  by_rows.colwise() -= by_rows.rowwise().mean().eval();
  CHECK(memory == std::array<float, 6>{-1, 0, 1, -1, 0, 1});

  memory = {1, 2, 3, 4, 5, 6};
  auto by_columns = as_matrix(tensor<float>{memory.data(), shape, storage_order::column_major, "w"});
  CHECK(by_columns.rows() == 2);
  CHECK(by_columns.cols() == 3);
  CHECK(by_columns(1, 0) == 2);
  CHECK(by_columns(0, 2) == 5);
  by_columns.colwise() -= by_columns.rowwise().mean();  // rows (1, 3, 5) and (2, 4, 6)
  CHECK(memory == std::array<float, 6>{-2, -2, 0, 0, 2, 2});
}

TEST_CASE("as_matrix views filters as (first, rest), a vector as a column and a scalar as 1 × 1") {
  std::array<double, 24> memory{};
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<double>(i);
  const auto of = [&](std::span<const std::size_t> shape) {
    return as_matrix(tensor<double>{memory.data(), shape, {}, "w"});
  };

  const std::array<std::size_t, 4> filters{2, 3, 2, 2};
  CHECK(of(filters).rows() == 2);
  CHECK(of(filters).cols() == 12);
  CHECK(of(filters)(1, 3) == 15);
  const std::array<std::size_t, 1> vector{5};
  CHECK(of(vector).rows() == 5);
  CHECK(of(vector).cols() == 1);
  CHECK(of(vector)(4, 0) == 4);
  CHECK(of({}).size() == 1);
  CHECK(of(filters).sum() == 276);
}

TEST_CASE("as_matrix multiplies like any matrix") {
  std::array<double, 6> memory{1, 2, 3, 4, 5, 6};
  const std::array<std::size_t, 2> shape{3, 2};
  const auto x = as_matrix(tensor<double>{memory.data(), shape, storage_order::row_major, "w"});
  const auto y = as_matrix(tensor<double>{memory.data(), shape, storage_order::column_major, "w"});
  const Eigen::MatrixXd product = x.transpose() * y;  // (1 3 5; 2 4 6) · (1 4; 2 5; 3 6)
  CHECK(product == (Eigen::MatrixXd(2, 2) << 22, 49, 28, 64).finished());
}

TEST_CASE("as_parameter takes shape, order and memory from the type") {
  Eigen::MatrixXf matrix(2, 3);
  auto p = as_parameter("w", matrix, role::head);
  static_assert(std::is_same_v<decltype(p), parameter<float>>);
  CHECK(p.name == "w");
  CHECK(p.shape == std::vector<std::size_t>{2, 3});
  CHECK(p.role == role::head);
  CHECK(p.data == matrix.data());
  CHECK(p.order == storage_order::column_major);

  Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows(4, 2);
  const auto q = as_parameter("w", rows);
  static_assert(std::is_same_v<decltype(q), const parameter<double>>);
  CHECK(q.shape == std::vector<std::size_t>{4, 2});
  CHECK(q.role == role::unspecified);
  CHECK(q.order == storage_order::row_major);

  Eigen::VectorXf column(5);
  CHECK(as_parameter("b", column).shape == std::vector<std::size_t>{5});
  CHECK(as_parameter("b", column).order == storage_order::row_major);
  Eigen::RowVectorXf row(7);
  CHECK(as_parameter("b", row).shape == std::vector<std::size_t>{7});
  CHECK(as_parameter("b", row).order == storage_order::row_major);
  Eigen::MatrixXf thin(1, 6);  // a matrix that happens to have one row stays one
  CHECK(as_parameter("w", thin).shape == std::vector<std::size_t>{1, 6});
  Eigen::Array<double, 3, 3> fixed;
  CHECK(as_parameter("a", fixed).shape == std::vector<std::size_t>{3, 3});
  CHECK(as_parameter("a", fixed).data == fixed.data());
}

TEST_CASE("as_gradient reads in place") {
  const Eigen::MatrixXf matrix = Eigen::MatrixXf::Random(3, 4);
  const auto g = as_gradient(matrix);
  static_assert(std::is_same_v<decltype(g), const std::span<const float>>);
  CHECK(g.data() == matrix.data());
  CHECK(g.size() == 12);
}

TEST_CASE("a tensor-wise function in Eigen trains matrices of either order alike") {
  const auto center = tensorwise("center_rows", [](tensor<float> u) {
    as_matrix(u).colwise() -= as_matrix(u).rowwise().mean().eval();
    return u;
  });
  const Eigen::MatrixXf start = Eigen::MatrixXf::Random(3, 5), gradient = Eigen::MatrixXf::Random(3, 5);
  const Eigen::MatrixXf centered = gradient.colwise() - gradient.rowwise().mean();

  Eigen::MatrixXf columns = start;
  auto by_columns = optimizer(center, std::vector{as_parameter("w", columns)}, {.lr = 0.5});
  by_columns.step({as_gradient(gradient)});

  using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  row_matrix rows = start;
  const row_matrix row_gradient = gradient;
  auto by_rows = optimizer(center, std::vector{as_parameter("w", rows)}, {.lr = 0.5});
  by_rows.step({as_gradient(row_gradient)});

  CHECK(columns.isApprox(start - 0.5f * centered));
  CHECK(rows.isApprox(start - 0.5f * centered));
}

TEST_CASE("Muon steps a matrix the same way, by rows or by columns") {
  const Eigen::MatrixXd start = Eigen::MatrixXd::Random(4, 6), gradient = Eigen::MatrixXd::Random(4, 6);
  using row_matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::MatrixXd columns = start;
  row_matrix rows = start;
  const row_matrix row_gradient = gradient;
  auto by_columns = optimizer(recipes::muon(), std::vector{as_parameter("w", columns, role::hidden)}, {.lr = 0.1});
  auto by_rows = optimizer(recipes::muon(), std::vector{as_parameter("w", rows, role::hidden)}, {.lr = 0.1});
  for (int i = 0; i < 3; ++i)
    by_columns.step({as_gradient(gradient)}), by_rows.step({as_gradient(row_gradient)});
  CHECK(columns.isApprox(Eigen::MatrixXd(rows), 1e-12));
  CHECK(!columns.isApprox(start, 1e-3));
}

TEST_CASE("an empty matrix alone is refused at binding") {
  Eigen::MatrixXf empty(0, 3);
  CHECK_THROWS_WITH_AS(
      optimizer(scale{1}, std::vector{as_parameter("w", empty)}, {}),
      "[optimizer] Expected a parameter with elements. Received none.", error);
}
