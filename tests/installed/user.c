/* A user's program in C, outside the tree: fits a line through four points, and says whether it did. */
#include <thalweg/thalweg.h>

#include <math.h>
#include <stdio.h>

int main(void) {
  float line[] = {0, 0}, gradient[2]; /* y = line[0] + line[1] x */
  const size_t shape[] = {2};
  const thalweg_parameter parameter = {"line", shape, 1, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, line};
  thalweg_options options = thalweg_options_default();
  options.lr = 0.05;
  thalweg_optimizer* opt = NULL;
  thalweg_status status = thalweg_create("adamw", THALWEG_FLOAT32, &parameter, 1, &options, &opt);
  for (int step = 0; step < 1000 && status == THALWEG_OK; ++step) {
    gradient[0] = gradient[1] = 0;
    for (int x = -1; x <= 2; ++x) {
      const float error = line[0] + line[1] * (float)x - (3 - 2 * (float)x);
      gradient[0] += error;
      gradient[1] += error * (float)x;
    }
    const void* gradients[] = {gradient};
    status = thalweg_step(opt, gradients, 1, NULL, NULL);
  }
  if (status != THALWEG_OK) fprintf(stderr, "%s\n", thalweg_last_error());
  thalweg_destroy(opt);
  printf("thalweg %s from C: y = %.3f %+.3f x\n", thalweg_version(), line[0], line[1]);
  return fabsf(line[0] - 3) < 1e-2f && fabsf(line[1] + 2) < 1e-2f ? 0 : 1;
}
