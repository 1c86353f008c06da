// The number of OpenBLAS' threads is the program's: a step leaves it as it was.
#include <thalweg/core/linear_algebra.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/recipes.hpp>
#include <thalweg/text.hpp>

#include <cmath>
#include <string>
#include <vector>

#include <cblas.h>
#include <doctest/doctest.h>

#include "../core/model.hpp"

using namespace thalweg;

namespace {

struct number_of_threads {
  int before = openblas_get_num_threads();
  ~number_of_threads() { openblas_set_num_threads(before); }
};

}  // namespace

TEST_CASE("the number of OpenBLAS' threads is the same before and after a step") {
  const number_of_threads put_back;
  for (const int threads : {1, 2, 3}) {
    openblas_set_num_threads(threads);
    REQUIRE(openblas_get_num_threads() == threads);
    test::model<double> m({{"a", {96, 64}}, {"b", {64, 96}}, {"c", {80, 80}}});
    auto opt = optimizer(recipes::muon(), m.parameters(), {.lr = 0.02});
    m.train(opt, 1, 3);
    CHECK(openblas_get_num_threads() == threads);
    m.gradients[1][0] = NAN;
    opt.step(m.gradients);
    CHECK(openblas_get_num_threads() == threads);
  }
}

TEST_CASE("no transform's bits depend on the number of OpenBLAS' threads") {
  const number_of_threads put_back;
  for (const char* chain : {"scale_by_soap(period=1)", "scale_by_shampoo(period=1)", "scale_by_kl_shampoo(period=1)", "scale_by_psgd_kron",
                            "scale_by_psgd_lra", "orthogonalize_low_rank", "decorrelate_rows", "orthogonalize_directions"}) {
    CAPTURE(chain);
    std::vector<std::vector<std::vector<float>>> all;
    for (const int threads : {1, 4}) {
      openblas_set_num_threads(threads);
      test::model<float> m({{"w", {256, 224}}});
      optimizer<float> opt(std::string(chain) + " | apply_update", m.parameters(), {.lr = 0.02, .parallel = sequential()});
      m.train(opt, 1, 3);
      CHECK(openblas_get_num_threads() == threads);
      all.push_back(m.values);
    }
    CHECK(all[0] == all[1]);
  }
}

TEST_CASE("one thread while one of us multiplies, and then as before, unless the program has set another number") {
  const number_of_threads put_back;
  using linear_algebra::one_thread;
  openblas_set_num_threads(2);
  {
    const one_thread first;
    CHECK(openblas_get_num_threads() == 1);
    { const one_thread second; }
    CHECK(openblas_get_num_threads() == 1);
  }
  CHECK(openblas_get_num_threads() == 2);
  {
    const one_thread alone;
    openblas_set_num_threads(3);  // by another thread of the program
  }
  CHECK(openblas_get_num_threads() == 3);
}
