// What a step costs 4, 8, 64 and 512 ranks, as a table for docs/scale.md.
#include <cstdio>

#include "models.hpp"

int main() {
  // An H100 at 400 of its 989 Tflop/s in bfloat16, 3.35 TB/s, 400 Gbit/s each; a server's processor at 1.5 Tflop/s in float32,
  // 300 GB/s, 200 Gbit/s.
  const test::machine machines[] = {{"a GPU a rank", 4e14, 3.35e12, 5e10, 5e-6}, {"a processor a rank", 1.5e12, 3e11, 2.5e10, 2e-6}};
  for (const auto& on : machines) {
    std::printf("%s\n| model | chain | ranks | imbalance | one process, ms | sharded state | replicated | sharded rows |\n", on.name.c_str());
    for (const auto& model : {test::gpt2_124m(), test::llama_1b(), test::llama_7b()})
      for (const bool orthogonalises : {false, true}) {
        const auto alone = test::time_of(model, test::plan_of(model, 1, orthogonalises), orthogonalises, test::sharing::nothing, on);
        for (const int ranks : {4, 8, 64, 512}) {
          const auto p = test::plan_of(model, ranks, orthogonalises);
          const auto ms = [&](test::sharing how) {
            const auto t = test::time_of(model, p, orthogonalises, how, on);
            std::printf(" | %.1f + %.1f", 1e3 * t.computing, 1e3 * t.sending);
          };
          std::printf("| %s | %s | %d | %.2f | %.1f", model.name.c_str(), orthogonalises ? "AMUSE" : "AdamW", ranks, p.imbalance(), 1e3 * alone.computing);
          ms(test::sharing::state);
          ms(test::sharing::nothing);
          ms(test::sharing::rows);
          std::printf(" |\n");
        }
      }
  }
}
