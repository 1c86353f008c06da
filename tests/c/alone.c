/* Every function of the C interface, rightly and wrongly used, by a C99 program that sees nothing else of thalweg.
     alone FOLDER */
#include <thalweg/thalweg.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition) \
  do { \
    if (condition) break; \
    ++failures; \
    fprintf(stderr, "%s:%d: %s\n    last error: %s\n", __FILE__, __LINE__, #condition, thalweg_last_error()); \
  } while (0)
#define CHECK_OK(call) CHECK((call) == THALWEG_OK)
#define CHECK_REFUSED(call, words) CHECK((call) == THALWEG_INVALID_ARGUMENT && said(words))

static int said(const char* words) { return strstr(thalweg_last_error(), words) != NULL; }

static char checkpoint[4096];

enum { matrix_size = 6, bias_size = 3, count = 2 };

struct model {
  float matrix[matrix_size], bias[bias_size];
  float matrix_gradient[matrix_size], bias_gradient[bias_size];
  thalweg_parameter parameters[count];
  const void* gradients[count];
};

static const size_t matrix_shape[] = {3, 2}, bias_shape[] = {3};

static void start(struct model* m) {
  for (int i = 0; i < matrix_size; ++i) m->matrix[i] = 0.1f * (float)i - 0.2f;
  for (int i = 0; i < bias_size; ++i) m->bias[i] = 0.5f;
  m->parameters[0] = (thalweg_parameter){"matrix", matrix_shape, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, m->matrix};
  m->parameters[1] = (thalweg_parameter){"bias", bias_shape, 1, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, m->bias};
  m->gradients[0] = m->matrix_gradient;
  m->gradients[1] = m->bias_gradient;
}

static void backward(struct model* m) {
  for (int i = 0; i < matrix_size; ++i) m->matrix_gradient[i] = m->matrix[i] - 0.25f * (float)(i % 3);
  for (int i = 0; i < bias_size; ++i) m->bias_gradient[i] = m->bias[i] + 1;
}

static thalweg_options usual(void) {
  thalweg_options options = thalweg_options_default();
  options.lr = 0.02;
  options.weight_decay = 0.05;
  options.warmup_steps = 3;
  return options;
}

static thalweg_optimizer* made(const char* chain, struct model* m) {
  thalweg_optimizer* opt = NULL;
  const thalweg_options options = usual();
  start(m);
  CHECK_OK(thalweg_create(chain, THALWEG_FLOAT32, m->parameters, count, &options, &opt));
  if (!opt) exit(1);
  return opt;
}

static void train(thalweg_optimizer* opt, struct model* m, int steps) {
  for (int step = 0; step < steps; ++step) {
    backward(m);
    CHECK_OK(thalweg_step(opt, m->gradients, count, NULL, NULL));
  }
}

static int64_t steps_of(const thalweg_optimizer* opt) {
  int64_t steps = -1;
  CHECK_OK(thalweg_get_steps(opt, &steps));
  return steps;
}

static int same(const struct model* a, const struct model* b) {
  return memcmp(a->matrix, b->matrix, sizeof a->matrix) == 0 && memcmp(a->bias, b->bias, sizeof a->bias) == 0;
}

static void versions(void) {
  CHECK(thalweg_interface() >= THALWEG_INTERFACE);
  CHECK(strcmp(thalweg_version(), EXPECTED_VERSION) == 0);
}

static void training(void) {
  struct model m;
  thalweg_optimizer* opt = made("amuse", &m);
  CHECK(steps_of(opt) == 0);
  const struct model before = m;
  thalweg_report report = thalweg_report_default();
  const double loss = 0.5;
  backward(&m);
  CHECK_OK(thalweg_step(opt, m.gradients, count, &loss, &report));
  CHECK(report.taken == 1);
  CHECK(report.not_finite == NULL);
  CHECK(report.size == sizeof report);
  CHECK(report.lr == 0.02 * (1.0 / 3));
  CHECK(!report.has_gradient_norm);
  CHECK(!same(&m, &before));
  CHECK(steps_of(opt) == 1);
  train(opt, &m, 300);
  CHECK_OK(thalweg_begin_evaluation(opt));
  for (int i = 0; i < bias_size; ++i) CHECK(fabsf(m.bias[i] + 1) < 0.3f);
  CHECK_OK(thalweg_end_evaluation(opt));
  thalweg_destroy(opt);
}

static void reports(void) {
  struct model m;
  thalweg_report report = thalweg_report_default();
  thalweg_optimizer* opt = made("accumulate(steps=2) | adam", &m);
  for (int call = 0; call < 4; ++call) {
    const struct model before = m;
    backward(&m);
    CHECK_OK(thalweg_step(opt, m.gradients, count, NULL, &report));
    CHECK(report.taken == call % 2);
    CHECK(report.not_finite == NULL);
    CHECK((report.lr > 0) == report.taken);
    CHECK(same(&m, &before) == !report.taken);
  }
  CHECK(steps_of(opt) == 2);
  thalweg_destroy(opt);

  opt = made("when_finite | adam", &m);
  const struct model before = m;
  backward(&m);
  m.bias_gradient[1] = NAN;
  CHECK_OK(thalweg_step(opt, m.gradients, count, NULL, &report));
  CHECK(report.taken == 0);
  CHECK(report.not_finite != NULL && strcmp(report.not_finite, "bias") == 0);
  const double loss = NAN;
  backward(&m);
  CHECK_OK(thalweg_step(opt, m.gradients, count, &loss, &report));
  CHECK(report.taken == 0);
  CHECK(report.not_finite == NULL);
  CHECK(same(&m, &before));
  CHECK(steps_of(opt) == 0);
  thalweg_destroy(opt);

  opt = made("when_finite | clip_by_global_norm(max_norm=0.5) | adam", &m);
  memset(m.matrix_gradient, 0, sizeof m.matrix_gradient);
  memset(m.bias_gradient, 0, sizeof m.bias_gradient);
  m.matrix_gradient[3] = 3;
  m.bias_gradient[0] = -4;
  CHECK_OK(thalweg_step(opt, m.gradients, count, NULL, &report));
  CHECK(report.has_gradient_norm && report.gradient_norm == 5);
  m.bias_gradient[1] = NAN;
  CHECK_OK(thalweg_step(opt, m.gradients, count, NULL, &report));
  CHECK(!report.has_gradient_norm);

  report.size = offsetof(thalweg_report, without_gradient);  // a program of an earlier interface
  report.without_gradient = 77;
  m.bias_gradient[1] = 0;
  CHECK_OK(thalweg_step(opt, m.gradients, count, NULL, &report));
  CHECK(report.taken == 1 && report.has_gradient_norm && report.without_gradient == 77);
  const struct model unchanged = m;
  const size_t wrong[] = {0, 1, sizeof report - 1, sizeof report + 8, SIZE_MAX};
  for (int i = 0; i < 5; ++i) {
    report.size = wrong[i];
    CHECK_REFUSED(thalweg_step(opt, m.gradients, count, NULL, &report),
                  "[step] Expected a struct that began as thalweg_report_default()");
    CHECK(report.size == wrong[i] && same(&m, &unchanged) && steps_of(opt) == 2);
  }
  thalweg_destroy(opt);
}

static void factors(void) {
  struct model m;
  thalweg_optimizer* opt = NULL;
  const double lr[] = {0.5, 1}, decay[] = {1, 0}, wrong[] = {-1, NAN, INFINITY};
  start(&m);
  thalweg_options options = thalweg_options_default();
  options.lr = 0.5;
  options.weight_decay = 0.5;
  options.lr_factors = lr;
  options.weight_decay_factors = decay;
  CHECK_OK(thalweg_create("apply_update", THALWEG_FLOAT32, m.parameters, count, &options, &opt));
  const struct model before = m;
  for (int i = 0; i < matrix_size; ++i) m.matrix_gradient[i] = 1;
  for (int i = 0; i < bias_size; ++i) m.bias_gradient[i] = 1;
  CHECK_OK(thalweg_step(opt, m.gradients, count, NULL, NULL));
  for (int i = 0; i < matrix_size; ++i)
    CHECK(m.matrix[i] == before.matrix[i] - (0.25f * 1 + 0.125f * before.matrix[i]));
  for (int i = 0; i < bias_size; ++i) CHECK(m.bias[i] == before.bias[i] - 0.5f);
  thalweg_destroy(opt);

  for (int i = 0; i < 3; ++i) {
    const double one_wrong[] = {1, wrong[i]};
    opt = NULL;
    options.lr_factors = one_wrong;
    options.weight_decay_factors = NULL;
    CHECK_REFUSED(thalweg_create("adam", THALWEG_FLOAT32, m.parameters, count, &options, &opt),
                  "[optimizer] Expected lr_factor of 'bias' in [0, inf). Received ");
    options.lr_factors = NULL;
    options.weight_decay_factors = one_wrong;
    CHECK_REFUSED(thalweg_create("adam", THALWEG_FLOAT32, m.parameters, count, &options, &opt),
                  "[optimizer] Expected weight_decay_factor of 'bias' in [0, inf). Received ");
    CHECK(opt == NULL);
  }
}

static void roles(void) {
  struct model m;
  thalweg_optimizer* opt = NULL;
  const thalweg_options options = usual();
  start(&m);
  m.parameters[0].role = m.parameters[1].role = THALWEG_UNSPECIFIED;
  CHECK_REFUSED(thalweg_create("amuse", THALWEG_FLOAT32, m.parameters, count, &options, &opt),
                "[route] Expected a role for 'matrix' with shape (3, 2), because this chain routes by role: hidden, "
                "embedding or head. Received none.");
  CHECK(opt == NULL);
  CHECK_OK(thalweg_create("adamw", THALWEG_FLOAT32, m.parameters, count, &options, &opt));
  thalweg_destroy(opt);
  m.parameters[0].role = THALWEG_HIDDEN;  // the vector needs none
  CHECK_OK(thalweg_create("amuse", THALWEG_FLOAT32, m.parameters, count, &options, &opt));
  thalweg_destroy(opt);
}

static void losses(void) {
  struct model m;
  thalweg_optimizer* opt = made("scale_by_polyak | apply_update", &m);
  const struct model before = m;
  thalweg_report report = thalweg_report_default();
  report.taken = 7;
  report.not_finite = "as it was";
  backward(&m);
  CHECK_REFUSED(thalweg_step(opt, m.gradients, count, NULL, &report), "[scale_by_polyak] Expected a loss");
  CHECK(report.taken == 7 && strcmp(report.not_finite, "as it was") == 0);
  CHECK(same(&m, &before) && steps_of(opt) == 0);
  const double loss = 2;
  CHECK_OK(thalweg_step(opt, m.gradients, count, &loss, &report));
  CHECK(report.taken == 1);
  CHECK(!same(&m, &before));
  thalweg_destroy(opt);
}

static void learning_rate(void) {
  struct model m;
  thalweg_optimizer* opt = made("amuse", &m);
  double lr = -1;
  CHECK_OK(thalweg_get_lr(opt, &lr));
  CHECK(lr == 0.02);
  CHECK_OK(thalweg_set_lr(opt, 0.5));
  const double wrong[] = {-1, NAN, INFINITY};
  for (int i = 0; i < 3; ++i) CHECK_REFUSED(thalweg_set_lr(opt, wrong[i]), "Expected lr in [0, inf)");
  CHECK_OK(thalweg_get_lr(opt, &lr));
  CHECK(lr == 0.5);
  thalweg_destroy(opt);
}

static void evaluation(void) {
  struct model m;
  thalweg_optimizer* opt = made("amuse", &m);
  train(opt, &m, 4);
  const struct model y = m;

  float x[matrix_size], again[matrix_size];
  CHECK_OK(thalweg_averaged(opt, 0, x, matrix_size));
  CHECK(same(&m, &y));
  CHECK(memcmp(x, m.matrix, sizeof x) != 0);

  CHECK_REFUSED(thalweg_end_evaluation(opt), "[end_evaluation] Expected the parameters at x");
  CHECK_OK(thalweg_begin_evaluation(opt));
  CHECK(memcmp(x, m.matrix, sizeof x) == 0);
  CHECK_OK(thalweg_averaged(opt, 0, again, matrix_size));
  CHECK(memcmp(x, again, sizeof x) == 0);

  const struct model at_x = m;
  CHECK_REFUSED(thalweg_begin_evaluation(opt), "[begin_evaluation] Expected the parameters at y");
  CHECK_REFUSED(thalweg_step(opt, m.gradients, count, NULL, NULL), "[step] Expected the parameters at y");
  CHECK_REFUSED(thalweg_load(opt, checkpoint), "[load] Expected the parameters at y");
  CHECK(same(&m, &at_x) && steps_of(opt) == 4);
  CHECK_OK(thalweg_end_evaluation(opt));
  CHECK(same(&m, &y));
  CHECK_REFUSED(thalweg_end_evaluation(opt), "[end_evaluation]");

  CHECK_OK(thalweg_begin_evaluation(opt));
  CHECK(!same(&m, &y));
  thalweg_destroy(opt);  // y is put back
  CHECK(same(&m, &y));

  opt = made("adam", &m);  // without an average: at x always
  train(opt, &m, 2);
  const struct model anywhere = m;
  CHECK_OK(thalweg_begin_evaluation(opt));
  CHECK(same(&m, &anywhere));
  CHECK_REFUSED(thalweg_step(opt, m.gradients, count, NULL, NULL), "[step]");
  CHECK_OK(thalweg_end_evaluation(opt));
  CHECK(same(&m, &anywhere));
  thalweg_destroy(opt);
}

static void room_for_averages(void) {
  struct model m;
  thalweg_optimizer* opt = made("amuse", &m);
  float x[matrix_size + 1];
  for (int i = 0; i <= matrix_size; ++i) x[i] = 42;
  CHECK_REFUSED(thalweg_averaged(opt, count, x, matrix_size), "[averaged] Expected an index below 2. Received 2.");
  CHECK_REFUSED(thalweg_averaged(opt, SIZE_MAX, x, matrix_size), "[averaged]");
  CHECK_REFUSED(thalweg_averaged(opt, 0, x, matrix_size - 1), "Expected room for the 6 elements of 'matrix'");
  CHECK_REFUSED(thalweg_averaged(opt, 0, x, SIZE_MAX), "[averaged]");
  CHECK_REFUSED(thalweg_averaged(opt, 0, m.matrix, matrix_size), "overlaps the parameter 'matrix'");
  CHECK_REFUSED(thalweg_averaged(opt, 0, (char*)x + 1, matrix_size),
                "[averaged] Expected an array aligned to its element type for 'matrix'. Received one that is not.");
  CHECK_REFUSED(thalweg_averaged(opt, 0, NULL, matrix_size), "Received null");
  CHECK_REFUSED(thalweg_averaged(NULL, 0, x, matrix_size), "Expected an optimizer. Received null.");
  for (int i = 0; i <= matrix_size; ++i) CHECK(x[i] == 42);
  thalweg_destroy(opt);
}

static void checkpoints(void) {
  struct model stopped, m;
  thalweg_optimizer* opt = made("amuse", &m);
  train(opt, &m, 5);
  CHECK_OK(thalweg_set_lr(opt, 0.03));
  CHECK_OK(thalweg_save(opt, checkpoint));
  struct model weights = m;
  CHECK_OK(thalweg_begin_evaluation(opt));
  CHECK(thalweg_save(opt, "/no such folder/file") == THALWEG_CHECKPOINT_REFUSED && said("No such file or directory"));
  CHECK_REFUSED(thalweg_save(opt, NULL), "Expected a path. Received null.");
  CHECK_OK(thalweg_end_evaluation(opt));
  train(opt, &m, 5);
  thalweg_destroy(opt);

  opt = made("amuse", &stopped);
  struct model fresh = stopped;
  CHECK(thalweg_load(opt, checkpoint) == THALWEG_CHECKPOINT_REFUSED && said("Load the parameters that go with"));
  CHECK(thalweg_load(opt, "/no such folder/file") == THALWEG_CHECKPOINT_REFUSED && said("No such file or directory"));
  CHECK_REFUSED(thalweg_load(opt, NULL), "Expected a path. Received null.");
  thalweg_load_report report = thalweg_load_report_default();
  report.checked = 42;
  CHECK_REFUSED(thalweg_load_reporting(opt, NULL, &report), "Expected a path. Received null.");
  report.size = 3;
  CHECK_REFUSED(thalweg_load_reporting(opt, checkpoint, &report), "thalweg_load_report_default()");
  CHECK(report.checked == 42);
  report.size = sizeof report;
  CHECK(same(&stopped, &fresh) && steps_of(opt) == 0);
  memcpy(stopped.matrix, weights.matrix, sizeof weights.matrix);
  memcpy(stopped.bias, weights.bias, sizeof weights.bias);
  CHECK_OK(thalweg_load_reporting(opt, checkpoint, &report));
  CHECK(report.checked == 1);
  double lr = 0;
  CHECK_OK(thalweg_get_lr(opt, &lr));
  CHECK(steps_of(opt) == 5 && lr == 0.03);
  train(opt, &stopped, 5);
  CHECK(same(&stopped, &m));
  thalweg_destroy(opt);

  opt = made("adam", &stopped);
  CHECK(thalweg_load(opt, checkpoint) == THALWEG_CHECKPOINT_REFUSED && said("[load]"));
  FILE* file = fopen(checkpoint, "wb");
  CHECK(file && fputs("no checkpoint", file) >= 0 && fclose(file) == 0);
  CHECK(thalweg_load(opt, checkpoint) == THALWEG_CHECKPOINT_REFUSED && said("[load]"));
  thalweg_destroy(opt);

  opt = made("amuse", &m);  // saved at x, y comes back
  train(opt, &m, 3);
  const struct model y = m;
  CHECK_OK(thalweg_begin_evaluation(opt));
  CHECK_OK(thalweg_save(opt, checkpoint));
  struct model x = m;
  thalweg_destroy(opt);
  opt = made("amuse", &m);
  memcpy(m.matrix, x.matrix, sizeof x.matrix);
  memcpy(m.bias, x.bias, sizeof x.bias);
  CHECK_OK(thalweg_load(opt, checkpoint));
  CHECK(same(&m, &y));
  thalweg_destroy(opt);
  remove(checkpoint);
}

static void texts(void) {
  struct model m;
  thalweg_optimizer* opt = made("amuse", &m);
  char* text = NULL;
  CHECK_OK(thalweg_describe(opt, &text));
  CHECK(text && strstr(text, "float32, step 0, options(lr=0.02, weight_decay=0.05, warmup_steps=3"));
  CHECK(text && strstr(text, "matrix") && strstr(text, "(3, 2)") && strstr(text, "nesterov_ema"));
  thalweg_free(text);

  char* const untouched = checkpoint;
  text = untouched;
  CHECK_REFUSED(thalweg_describe(NULL, &text), "[describe] Expected an optimizer. Received null.");
  CHECK_REFUSED(thalweg_describe(opt, NULL), "[describe] Expected a place for the text. Received null.");
  CHECK_REFUSED(thalweg_to_text(NULL, &text), "[to_text] Expected a chain's text. Received null.");
  CHECK_REFUSED(thalweg_to_text("adam", NULL), "[to_text] Expected a place for the text. Received null.");
  CHECK_REFUSED(thalweg_to_text("nestrov_ema(beta=0.95)", &text), "Near: nesterov_ema.");
  CHECK_REFUSED(thalweg_to_text("nesterov_ema(bta=0.9)", &text), "beta in [0, 1)");
  CHECK_REFUSED(thalweg_to_text("nesterov_ema(beta=1)", &text), "beta in [0, 1)");
  CHECK_REFUSED(thalweg_to_text("", &text), "[parse]");
  CHECK(text == untouched);
  thalweg_destroy(opt);

  CHECK_OK(thalweg_to_text("nesterov_ema(beta=0.5) | apply_update()", &text));
  CHECK(text != untouched && strcmp(text, "nesterov_ema(beta=0.5, look_ahead=interpolate) | apply_update") == 0);
  char* again = NULL;
  CHECK_OK(thalweg_to_text(text, &again));
  CHECK(again && strcmp(text, again) == 0);
  thalweg_free(text);
  thalweg_free(again);
  thalweg_free(NULL);
}

static void gradients(void) {
  struct model m;
  thalweg_optimizer* opt = made("amuse", &m);
  const struct model before = m;
  backward(&m);
  CHECK_REFUSED(thalweg_step(NULL, m.gradients, count, NULL, NULL), "[step] Expected an optimizer. Received null.");
  CHECK_REFUSED(thalweg_step(opt, NULL, count, NULL, NULL), "[step] Expected gradients. Received null.");
  CHECK_REFUSED(thalweg_step(opt, NULL, 0, NULL, NULL), "[step]");
  CHECK_REFUSED(thalweg_step(opt, m.gradients, 0, NULL, NULL), "Expected 2 gradients, one for each parameter. Received 0.");
  CHECK_REFUSED(thalweg_step(opt, m.gradients, 1, NULL, NULL), "Received 1.");
  CHECK_REFUSED(thalweg_step(opt, m.gradients, SIZE_MAX, NULL, NULL), "[step] Expected 2 gradients");
  const void* odd[] = {m.matrix_gradient, (const char*)m.bias_gradient + 2};
  CHECK_REFUSED(thalweg_step(opt, odd, count, NULL, NULL),
                "[step] Expected an array aligned to its element type for 'bias'. Received one that is not.");
  const void* overlapping[] = {m.matrix, m.bias_gradient};
  CHECK_REFUSED(thalweg_step(opt, overlapping, count, NULL, NULL), "overlaps the parameter 'matrix'");
  CHECK(same(&m, &before) && steps_of(opt) == 0);
  CHECK_OK(thalweg_step(opt, m.gradients, count, NULL, NULL));
  thalweg_destroy(opt);
}

static void null_handles(void) {
  double lr = 3;
  int64_t steps = 3;
  struct model m;
  thalweg_optimizer* opt = made("amuse", &m);
  CHECK_REFUSED(thalweg_get_steps(NULL, &steps), "[get_steps] Expected an optimizer. Received null.");
  CHECK_REFUSED(thalweg_get_steps(opt, NULL), "[get_steps] Expected a place for the steps. Received null.");
  CHECK_REFUSED(thalweg_get_lr(NULL, &lr), "[get_lr] Expected an optimizer. Received null.");
  CHECK_REFUSED(thalweg_get_lr(opt, NULL), "[get_lr] Expected a place for the lr. Received null.");
  CHECK_REFUSED(thalweg_set_lr(NULL, 1), "[set_lr] Expected an optimizer. Received null.");
  CHECK_REFUSED(thalweg_begin_evaluation(NULL), "[begin_evaluation] Expected an optimizer. Received null.");
  CHECK_REFUSED(thalweg_end_evaluation(NULL), "[end_evaluation] Expected an optimizer. Received null.");
  CHECK_REFUSED(thalweg_save(NULL, checkpoint), "[save] Expected an optimizer. Received null.");
  CHECK_REFUSED(thalweg_load(NULL, checkpoint), "[load] Expected an optimizer. Received null.");
  CHECK(lr == 3 && steps == 3);
  thalweg_destroy(opt);
  thalweg_destroy(NULL);
}

static thalweg_status create_with(const thalweg_options* options) {
  struct model m;
  thalweg_optimizer* opt = NULL;
  start(&m);
  const thalweg_status status = thalweg_create("adam", THALWEG_FLOAT32, m.parameters, count, options, &opt);
  CHECK((status == THALWEG_OK) == (opt != NULL));
  thalweg_destroy(opt);
  return status;
}

static void options(void) {
  CHECK_OK(create_with(NULL));
  thalweg_options o = thalweg_options_default();
  CHECK_OK(create_with(&o));
#define CHECK_OPTION(field, value, words) \
  do { \
    o = thalweg_options_default(); \
    o.field = value; \
    CHECK_REFUSED(create_with(&o), words); \
  } while (0)
  CHECK_OPTION(lr, -1, "Expected lr in [0, inf)");
  CHECK_OPTION(lr, NAN, "Expected lr in [0, inf)");
  CHECK_OPTION(weight_decay, -1e-9, "Expected weight_decay in [0, inf)");
  CHECK_OPTION(weight_decay, INFINITY, "Expected weight_decay in [0, inf)");
  CHECK_OPTION(warmup_steps, -1, "Expected warmup_steps in [0, ");
  CHECK_OPTION(warmup_steps, INT64_MIN, "Expected warmup_steps in [0, ");
  CHECK_OPTION(weight_lr_power, -2, "Expected weight_lr_power in [0, inf)");
  CHECK_OPTION(r, -1, "Expected r in [0, inf)");
  CHECK_OPTION(threads, -1, "Expected threads in [0, ");
  CHECK_OPTION(size, 0, "[create] Expected a struct that began as thalweg_options_default()");
  CHECK_OPTION(size, sizeof o - 1, "[create] Expected a struct that began as thalweg_options_default()");
  CHECK_OPTION(size, sizeof o + 8, "[create] Expected a struct that began as thalweg_options_default()");
  CHECK_OPTION(size, SIZE_MAX, "[create] Expected a struct that began as thalweg_options_default()");
  for (int64_t threads = 1; threads < 4; ++threads) {
    o = thalweg_options_default();
    o.threads = threads;
    CHECK_OK(create_with(&o));
  }
  o.threads = INT64_MAX;
  CHECK_OK(create_with(&o));
}

static thalweg_status create_of(const thalweg_parameter* parameters, size_t how_many) {
  char nothing = 0;
  thalweg_optimizer* const untouched = (thalweg_optimizer*)(void*)&nothing;
  thalweg_optimizer* opt = untouched;
  const thalweg_status status = thalweg_create("adam", THALWEG_FLOAT32, parameters, how_many, NULL, &opt);
  CHECK((status == THALWEG_OK) == (opt != untouched));
  if (opt != untouched) thalweg_destroy(opt);
  return status;
}

/* A parameter without a gradient, one that is frozen, one without elements; windows; measured steps. */
static void standing_still(void) {
  struct model m;
  thalweg_report report = thalweg_report_default();
  thalweg_optimizer* opt = made("adam", &m);
  const struct model before = m;
  backward(&m);
  const void* no_bias[count] = {m.gradients[0], NULL};
  CHECK_OK(thalweg_step(opt, no_bias, count, NULL, &report));
  CHECK(report.taken == 1 && report.without_gradient == 1);
  CHECK(memcmp(m.bias, before.bias, sizeof m.bias) == 0 && memcmp(m.matrix, before.matrix, sizeof m.matrix) != 0);
  char* line = NULL;
  CHECK_OK(thalweg_step_as_json(opt, no_bias, count, NULL, &report, &line));
  CHECK(line && strstr(line, "{\"name\":\"matrix\",\"gradient_norm\":") && !strstr(line, "bias"));
  thalweg_free(line);
  CHECK_REFUSED(thalweg_step_as_json(opt, no_bias, count, NULL, &report, NULL), "Expected a place for the line. Received null.");
  CHECK(steps_of(opt) == 2);
  thalweg_destroy(opt);

  opt = made("accumulate(steps=3) | adam", &m);
  CHECK_OK(thalweg_flush(opt, &report));
  CHECK(report.taken == 0);
  backward(&m);
  CHECK_OK(thalweg_step(opt, m.gradients, count, NULL, &report));
  CHECK_OK(thalweg_flush(opt, &report));
  CHECK(report.taken == 1 && steps_of(opt) == 1);
  CHECK_OK(thalweg_step(opt, m.gradients, count, NULL, &report));
  CHECK_OK(thalweg_drop(opt));
  CHECK_OK(thalweg_flush(opt, NULL));
  CHECK(steps_of(opt) == 1);
  CHECK_OK(thalweg_begin_evaluation(opt));
  CHECK_REFUSED(thalweg_flush(opt, NULL), "[flush] Expected the parameters at y");
  CHECK_OK(thalweg_end_evaluation(opt));
  CHECK_REFUSED(thalweg_flush(NULL, NULL), "Expected an optimizer. Received null.");
  CHECK_REFUSED(thalweg_drop(NULL), "Expected an optimizer. Received null.");
  thalweg_destroy(opt);
}

static void settings(void) {
  struct model m;
  thalweg_optimizer* opt = made("adam", &m);
  double value = 0;
  CHECK_OK(thalweg_set(opt, "scale_by_adam.beta2", 0.5));
  CHECK_OK(thalweg_get(opt, "scale_by_adam.beta2", &value));
  CHECK(value == 0.5);
  CHECK_REFUSED(thalweg_set(opt, "scale_by_adam.beta2", 2), "[scale_by_adam] Expected beta2 in [0, 1). Received 2.");
  CHECK_REFUSED(thalweg_set(opt, "beta2", 0.5), "[set] Expected one of lr,");
  CHECK_REFUSED(thalweg_set(opt, NULL, 0.5), "Expected a name. Received null.");
  CHECK_REFUSED(thalweg_get(opt, "beta2", &value), "[get] Expected one of lr,");
  CHECK_REFUSED(thalweg_get(opt, "lr", NULL), "Expected a place for the value. Received null.");
  CHECK_REFUSED(thalweg_set(NULL, "lr", 1), "Expected an optimizer. Received null.");
  CHECK_OK(thalweg_save(opt, checkpoint));

  const double by[] = {0.5, 1, 2};
  const float first = m.matrix[0], last = m.matrix[5];
  CHECK_OK(thalweg_scale_rows(opt, "matrix", by, 3));
  CHECK(m.matrix[0] == 0.5f * first && m.matrix[5] == 2 * last);
  CHECK_REFUSED(thalweg_scale_rows(opt, "matrix", by, 2), "[scale_rows] Expected a count of numbers that divides");
  CHECK_REFUSED(thalweg_scale_rows(opt, NULL, by, 3), "Expected a name. Received null.");
  CHECK_REFUSED(thalweg_scale_rows(opt, "matrix", NULL, 3), "Expected numbers. Received null.");
  CHECK_REFUSED(thalweg_scale_rows(NULL, "matrix", by, 3), "Expected an optimizer. Received null.");
  thalweg_destroy(opt);

  opt = made("cosine(steps=100) | adam", &m);
  char* differences = NULL;
  CHECK(thalweg_load(opt, checkpoint) == THALWEG_CHECKPOINT_REFUSED);
  CHECK_OK(thalweg_load_with(opt, checkpoint, THALWEG_KEEP_SETTINGS, &differences));
  CHECK(differences && strncmp(differences, "changed chain: decay_weights | ", 31) == 0);
  thalweg_free(differences);
  CHECK_OK(thalweg_load_with(opt, checkpoint, THALWEG_KEEP_SETTINGS | THALWEG_PARTIAL, NULL));
  CHECK_REFUSED(thalweg_load_with(opt, checkpoint, 4, NULL), "Expected a policy from 0 to 3. Received 4.");
  CHECK_REFUSED(thalweg_load_with(opt, NULL, 0, NULL), "Expected a path. Received null.");
  thalweg_destroy(opt);
}

/* Layers of one kind in one block, with a gap behind each, as C trainers hold them. */
static void views(void) {
  enum { layers = 2, rows = 4, columns = 3, stride = rows * columns + 5, extent = stride + rows * columns };
  float weights[extent], gradient[extent], apart[layers][rows * columns];
  for (int i = 0; i < extent; ++i) weights[i] = (float)(i % 7), gradient[i] = (float)(i % 5) - 2;
  for (int l = 0; l < layers; ++l) memcpy(apart[l], weights + l * stride, sizeof apart[l]);
  const float gap = weights[rows * columns];
  const size_t stacked[] = {layers, rows, columns}, block[] = {rows / 2, columns};
  const thalweg_parameter one = {"w", stacked, 3, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, weights};
  const char* view[] = {"stack(stride=17) | row_blocks(a=2, b=2)"};
  thalweg_options options = thalweg_options_default();
  thalweg_optimizer* opt = NULL;
  CHECK_REFUSED(thalweg_create("muon", THALWEG_FLOAT32, &one, 1, &options, &opt), "Set a view: .view");
  options.views = view;
  CHECK_OK(thalweg_create("muon", THALWEG_FLOAT32, &one, 1, &options, &opt));
  thalweg_parameter parts[layers * 2];
  const void* gradients[layers * 2];
  const char* const names[] = {"w[0].a", "w[0].b", "w[1].a", "w[1].b"};
  for (int i = 0; i < layers * 2; ++i) {
    const int half = rows / 2 * columns;
    const thalweg_parameter part = {names[i], block, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, apart[i / 2] + i % 2 * half};
    parts[i] = part;
    gradients[i] = gradient + i / 2 * stride + i % 2 * half;
  }
  options.views = NULL;
  thalweg_optimizer* of_parts = NULL;
  CHECK_OK(thalweg_create("muon", THALWEG_FLOAT32, parts, layers * 2, &options, &of_parts));
  const void* whole = gradient;
  for (int t = 0; t < 3; ++t) {
    CHECK_OK(thalweg_step(opt, &whole, 1, NULL, NULL));
    CHECK_OK(thalweg_step(of_parts, gradients, layers * 2, NULL, NULL));
  }
  for (int l = 0; l < layers; ++l) CHECK(memcmp(apart[l], weights + l * stride, sizeof apart[l]) == 0);
  CHECK(weights[rows * columns] == gap);
  thalweg_destroy(opt);
  thalweg_destroy(of_parts);
  options.views = view;
  view[0] = "stacks";
  CHECK_REFUSED(thalweg_create("muon", THALWEG_FLOAT32, &one, 1, &options, &opt), "Expected a view: stack");
}

static float of_upper_half(uint16_t upper) {
  const uint32_t bits = (uint32_t)upper << 16;
  float number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

/* The matrix in bfloat16, the bias in float32, the gradients of both in bfloat16. */
static void sixteen_bits(void) {
  struct model m;
  uint16_t matrix[matrix_size], gradient[matrix_size], bias_gradient[bias_size];
  thalweg_dtype types[] = {THALWEG_BFLOAT16, THALWEG_FLOAT32}, gradient_types[] = {THALWEG_BFLOAT16, THALWEG_BFLOAT16};
  start(&m);
  thalweg_options options = thalweg_options_default();
  thalweg_optimizer *opt = NULL, *of_floats = NULL;
  options.lr = 0.01;
  for (int i = 0; i < matrix_size; ++i) matrix[i] = (uint16_t)(0x3f80 + i), m.matrix[i] = of_upper_half(matrix[i]);
  struct model other = m;
  CHECK_OK(thalweg_create("adam", THALWEG_FLOAT32, m.parameters, count, &options, &of_floats));
  options.dtypes = types;
  options.gradient_dtypes = gradient_types;
  thalweg_parameter mixed[] = {m.parameters[0], m.parameters[1]};
  mixed[0].data = matrix;
  mixed[1].data = other.bias;
  CHECK_OK(thalweg_create("adam", THALWEG_FLOAT64, mixed, count, &options, &opt));  // `dtypes` say more than `dtype`
  const void* gradients[] = {gradient, bias_gradient};
  for (int step = 1; step <= 3; ++step) {
    for (int i = 0; i < matrix_size; ++i) gradient[i] = (uint16_t)(0x3f00 + 5 * i + step), m.matrix_gradient[i] = of_upper_half(gradient[i]);
    for (int i = 0; i < bias_size; ++i) bias_gradient[i] = (uint16_t)(0xbf00 + 3 * i + step), m.bias_gradient[i] = of_upper_half(bias_gradient[i]);
    CHECK_OK(thalweg_step(of_floats, m.gradients, count, NULL, NULL));
    CHECK_OK(thalweg_step(opt, gradients, count, NULL, NULL));
  }
  float x[matrix_size];
  CHECK_OK(thalweg_averaged(opt, 0, x, matrix_size));
  CHECK(memcmp(x, m.matrix, sizeof x) == 0);
  CHECK(memcmp(other.bias, m.bias, sizeof m.bias) == 0);
  for (int i = 0; i < matrix_size; ++i) CHECK(fabsf(of_upper_half(matrix[i]) - x[i]) <= 0.002f);
  const void* odd[] = {(const char*)gradient + 1, bias_gradient};
  CHECK_REFUSED(thalweg_step(opt, odd, count, NULL, NULL), "[step] Expected an array aligned to its element type for 'matrix'");
  CHECK(steps_of(opt) == 3);
  CHECK_OK(thalweg_save(of_floats, checkpoint));
  CHECK(thalweg_load(opt, checkpoint) == THALWEG_CHECKPOINT_REFUSED && said("[load] Expected 'matrix/lower_half' in the checkpoint."));
  char* differences = NULL;
  CHECK_OK(thalweg_load_with(opt, checkpoint, THALWEG_KEEP_SETTINGS, &differences));
  CHECK(differences && strcmp(differences, "changed type of 'matrix': F32 there, BF16 here\n") == 0);
  thalweg_free(differences);
  thalweg_destroy(opt);
  thalweg_destroy(of_floats);

  options.gradient_dtypes = NULL;  // as the parameters
  options.state = THALWEG_STATE_EIGHT_BITS;
  options.weights = THALWEG_WEIGHTS_STOCHASTIC;
  options.seed = 7;
  CHECK_OK(thalweg_create("adam", THALWEG_FLOAT32, mixed, count, &options, &opt));
  gradients[1] = m.bias_gradient;
  CHECK_OK(thalweg_step(opt, gradients, count, NULL, NULL));
  char* text = NULL;
  CHECK_OK(thalweg_describe(opt, &text));
  CHECK(text && strstr(text, "first_moment in eight_bits"));
  thalweg_free(text);
  thalweg_destroy(opt);

  uint16_t halves[matrix_size] = {0};
  thalweg_parameter half = {"matrix", matrix_shape, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, halves};
  const void* half_gradient[1];
  uint16_t ones[matrix_size] = {0x3c00, 0x3c00, 0x3c00, 0x3c00, 0x3c00, 0x3c00};
  half_gradient[0] = ones;
  options = thalweg_options_default();
  options.lr = 0.5;
  CHECK_OK(thalweg_create("apply_update", THALWEG_FLOAT16, &half, 1, &options, &opt));
  CHECK_OK(thalweg_step(opt, half_gradient, 1, NULL, NULL));
  for (int i = 0; i < matrix_size; ++i) CHECK(halves[i] == 0xb800);  // -0.5
  thalweg_destroy(opt);
}

static void types_refused(void) {
  struct model m;
  thalweg_optimizer* opt = NULL;
  start(&m);
  thalweg_options options = thalweg_options_default();
  thalweg_dtype types[] = {THALWEG_FLOAT32, THALWEG_FLOAT64}, gradient_types[] = {THALWEG_FLOAT32, THALWEG_FLOAT64};
#define CHECK_CREATE(words) CHECK_REFUSED(thalweg_create("adam", THALWEG_FLOAT32, m.parameters, count, &options, &opt), words)
  options.dtypes = types;
  CHECK_CREATE("[create] Expected float32, bfloat16 or float16 for 'bias', because float64 must be the type of all parameters or of none. Received float64.");
  types[0] = THALWEG_FLOAT64, types[1] = THALWEG_FLOAT16;
  CHECK_CREATE("[create] Expected float64 for 'bias', because float64 must be the type of all parameters or of none. Received float16.");
  types[1] = 4;
  CHECK_CREATE("[create] Expected a dtype from 0 to 3 for parameter 1. Received 4.");
  types[0] = THALWEG_BFLOAT16, types[1] = THALWEG_FLOAT16;
  options.gradient_dtypes = gradient_types;
  CHECK_CREATE("[create] Expected gradients of float32, bfloat16 or float16 for 'bias'. Received float64.");
  gradient_types[1] = -1;
  CHECK_CREATE("[create] Expected a dtype from 0 to 3 for parameter 1. Received -1.");
  options.gradient_dtypes = NULL;
  m.parameters[0].data = (char*)m.matrix + 1;
  CHECK_CREATE("[optimizer] Expected memory aligned to its element type");
  m.parameters[0].data = m.matrix;
  options.state = 4;
  CHECK_CREATE("[create] Expected a state from 0 to 3. Received 4.");
  options.state = THALWEG_STATE_BFLOAT16;
  options.weights = -1;
  CHECK_CREATE("[create] Expected weights from 0 to 2. Received -1.");
  options.weights = THALWEG_WEIGHTS_NEAREST;
  options.dtypes = NULL;
  double numbers[matrix_size] = {0};
  const thalweg_parameter in_double = {"w", matrix_shape, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, numbers};
  CHECK_REFUSED(thalweg_create("adam", THALWEG_FLOAT64, &in_double, 1, &options, &opt),
                "[optimizer] Expected state=same, for training in double. Received bfloat16.");
  CHECK(opt == NULL);

  /* A program of an earlier interface: what lies behind its struct is not read. */
  const size_t earlier[] = {offsetof(thalweg_options, views), offsetof(thalweg_options, dtypes)};
  for (int i = 0; i < 2; ++i) {
    options = thalweg_options_default();
    options.size = earlier[i];
    options.state = 77;
    options.dtypes = (const thalweg_dtype*)(const void*)"not read";
    CHECK_OK(thalweg_create("adam", THALWEG_FLOAT32, m.parameters, count, &options, &opt));
    thalweg_destroy(opt);
  }
}

static void parameters(void) {
  struct model m;
  thalweg_optimizer* opt = NULL;
  thalweg_parameter* const p = m.parameters;
  start(&m);
  CHECK_REFUSED(thalweg_create(NULL, THALWEG_FLOAT32, p, count, NULL, &opt), "Expected a chain's text. Received null.");
  CHECK_REFUSED(thalweg_create("adam", THALWEG_FLOAT32, NULL, count, NULL, &opt), "Expected parameters. Received");
  CHECK_REFUSED(thalweg_create("adam", THALWEG_FLOAT32, p, count, NULL, NULL), "Expected a place for the optimizer");
  CHECK_REFUSED(thalweg_create("adam", 4, p, count, NULL, &opt), "Expected a dtype from 0 to 3. Received 4.");
  CHECK_REFUSED(thalweg_create("adam", -1, p, count, NULL, &opt), "Expected a dtype");
  CHECK_REFUSED(thalweg_create("adamn", THALWEG_FLOAT32, p, count, NULL, &opt), "Near: adam");
  CHECK_REFUSED(thalweg_create("cosine | adam", THALWEG_FLOAT32, p, count, NULL, &opt),
                "[cosine] Expected steps, as in cosine(steps=1000). Received 'cosine' at column 1.");
  CHECK_REFUSED(thalweg_create("adam(lr=1e-3)", THALWEG_FLOAT32, p, count, NULL, &opt),
                "lr is an option of the optimizer, outside of the chain.");
  CHECK_REFUSED(thalweg_create("amuse", THALWEG_FLOAT32, p, count, NULL, &opt), "Set the option warmup_steps, or beta1_steps.");
  CHECK_REFUSED(thalweg_create("orthogonalize_update", THALWEG_FLOAT32, p, count, NULL, &opt), "'bias' with shape (3)");
  CHECK(opt == NULL);

  CHECK_REFUSED(create_of(p, 0), "Expected at least one parameter. Received none.");
#define CHECK_PARAMETER(field, value, words) \
  do { \
    start(&m); \
    p[1].field = value; \
    CHECK_REFUSED(create_of(p, count), words); \
  } while (0)
  CHECK_PARAMETER(name, NULL, "Expected a name for every parameter");
  CHECK_PARAMETER(name, "", "Expected a name for every parameter");
  CHECK_PARAMETER(name, "matrix", "Expected parameters of distinct names. Received 'matrix' twice.");
  CHECK_PARAMETER(name, "b\xff", "Expected names in UTF-8. Received 'b\\xff' with shape");
  CHECK_PARAMETER(shape, NULL, "Expected a shape of 1 dimensions for 'bias'. Received null.");
  CHECK_PARAMETER(role, 4, "Expected a role from 0 to 3 for 'bias'. Received 4.");
  CHECK_PARAMETER(role, -1, "Expected a role from 0 to 3 for 'bias'. Received -1.");
  CHECK_PARAMETER(order, 2, "Expected a storage order from 0 to 1 for 'bias'. Received 2.");
  CHECK_PARAMETER(order, THALWEG_COLUMN_MAJOR, "Expected a matrix where storage is column-major");
  CHECK_PARAMETER(data, NULL, "Expected memory for every parameter. Received null for 'bias'");
  CHECK_PARAMETER(data, (char*)m.bias + 1, "Expected memory aligned to its element type");
  CHECK_PARAMETER(data, m.matrix + 4, "'matrix' and 'bias', which overlap");
  const size_t shapes[][3] = {{SIZE_MAX, 1, 1}, {SIZE_MAX / 2, 3, 1}, {SIZE_MAX / 4, 1, 1},
                              {(size_t)1 << (sizeof(size_t) * 4), (size_t)1 << (sizeof(size_t) * 4), 1},
                              {3, SIZE_MAX / 3 + 1, 1}, {1, SIZE_MAX / 8, 4}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
    start(&m);
    p[1].shape = shapes[i];
    p[1].rank = 3;
    CHECK_REFUSED(create_of(p, count), "Expected dimensions that fit into memory. Received 'bias'");
  }

  start(&m);
  p[1].rank = 0;  // one number
  p[1].shape = NULL;
  CHECK_OK(create_of(p, count));
  p[0].role = THALWEG_EMBEDDING;
  p[0].order = THALWEG_COLUMN_MAJOR;
  CHECK_OK(create_of(p, count));
}

static void last_errors(void) {
  CHECK(strcmp(thalweg_last_error(), "") == 0);
  CHECK_REFUSED(thalweg_end_evaluation(NULL), "[end_evaluation]");
  char* text = NULL;
  CHECK_OK(thalweg_to_text("adam", &text));
  thalweg_free(text);
  CHECK(said("[end_evaluation]"));  // until the next failure
  CHECK_REFUSED(thalweg_begin_evaluation(NULL), "[begin_evaluation]");
}

int main(int argument_count, char** arguments) {
  if (argument_count != 2) return 2;
  snprintf(checkpoint, sizeof checkpoint, "%s/alone.safetensors", arguments[1]);
  last_errors();  // first: none has failed yet
  versions();
  training();
  reports();
  factors();
  roles();
  losses();
  learning_rate();
  evaluation();
  room_for_averages();
  checkpoints();
  texts();
  gradients();
  null_handles();
  options();
  parameters();
  standing_still();
  settings();
  views();
  sixteen_bits();
  types_refused();
  if (failures) fprintf(stderr, "%d failures\n", failures);
  return failures != 0;
}
