/* A network written by hand in C, trained by AMUSE: is a point inside the ring?
     train FOLDER
   The run is stopped half-way and resumed from its files, which must change nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thalweg/thalweg.h>

enum { inputs = 2, units = 24, batch = 64, steps = 1000, stop = 500 };

/* A hidden layer with tanh, and one output with a logistic loss. */
struct network {
  float hidden[units][inputs], hidden_bias[units];
  float head[units], head_bias;
};

/* An input, and what the network computes from it. */
struct sample {
  float x[inputs], inside, activation[units], probability;
};

static float uniform(unsigned* state) { /* in [-1, 1) */
  *state = *state * 1664525u + 1013904223u;
  return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static void draw(struct sample* s, unsigned* state) {
  for (int i = 0; i < inputs; ++i) s->x[i] = 1.5f * uniform(state);
  const float radius = s->x[0] * s->x[0] + s->x[1] * s->x[1];
  s->inside = radius > 0.3f && radius < 1.2f;
}

static void start(struct network* n) {
  unsigned state = 1;
  memset(n, 0, sizeof *n);
  for (int u = 0; u < units; ++u) {
    for (int i = 0; i < inputs; ++i) n->hidden[u][i] = uniform(&state);
    n->hidden_bias[u] = uniform(&state);
    n->head[u] = 0.3f * uniform(&state);
  }
}

static void forward(const struct network* n, struct sample* s) {
  float logit = n->head_bias;
  for (int u = 0; u < units; ++u) {
    float sum = n->hidden_bias[u];
    for (int i = 0; i < inputs; ++i) sum += n->hidden[u][i] * s->x[i];
    s->activation[u] = tanhf(sum);
    logit += n->head[u] * s->activation[u];
  }
  s->probability = 1 / (1 + expf(-logit));
}

static void backward(const struct network* n, const struct sample* s, struct network* gradient) {
  const float error = (s->probability - s->inside) / batch;
  gradient->head_bias += error;
  for (int u = 0; u < units; ++u) {
    const float below = error * n->head[u] * (1 - s->activation[u] * s->activation[u]);
    gradient->head[u] += error * s->activation[u];
    gradient->hidden_bias[u] += below;
    for (int i = 0; i < inputs; ++i) gradient->hidden[u][i] += below * s->x[i];
  }
}

static float accuracy(const struct network* n) {
  unsigned state = 99;
  int right = 0;
  for (int k = 0; k < 2000; ++k) {
    struct sample s;
    draw(&s, &state);
    forward(n, &s);
    right += (s.probability > 0.5f) == (s.inside > 0.5f);
  }
  return (float)right / 2000;
}

static void must(thalweg_status status) {
  if (status == THALWEG_OK) return;
  fprintf(stderr, "%s\n", thalweg_last_error());
  exit(1);
}

/* The same for a new run and for a resumed one. */
// snippet: c_create
thalweg_optimizer* make_optimizer(struct network* n) {
  const size_t hidden_shape[] = {units, inputs}, bias_shape[] = {units}, head_shape[] = {1, units};
  const thalweg_parameter parameters[] = {
      {"hidden", hidden_shape, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, n->hidden},
      {"hidden_bias", bias_shape, 1, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, n->hidden_bias},
      {"head", head_shape, 2, THALWEG_HEAD, THALWEG_ROW_MAJOR, n->head},
      {"head_bias", NULL, 0, THALWEG_HEAD, THALWEG_ROW_MAJOR, &n->head_bias},
  };
  const double decay[] = {1, 0, 1, 0};  // none on the biases
  thalweg_options options = thalweg_options_default();
  options.lr = 0.2;
  options.weight_decay = 1e-4;
  options.weight_decay_factors = decay;
  options.warmup_steps = 50;
  thalweg_optimizer* opt = NULL;
  must(thalweg_create("amuse(rho=0.5)", THALWEG_FLOAT32, parameters, 4, &options, &opt));
  return opt;
}
// end

static void train(struct network* n, thalweg_optimizer* opt, int last) {
  int64_t step = 0;
  must(thalweg_get_steps(opt, &step));
  for (; step < last; ++step) {
    struct network gradient = {0};
    unsigned state = 1000 + (unsigned)step;
    for (int k = 0; k < batch; ++k) {
      struct sample s;
      draw(&s, &state);
      forward(n, &s);
      backward(n, &s, &gradient);
    }
    // snippet: c_step
    const void* gradients[] = {gradient.hidden, gradient.hidden_bias, gradient.head, &gradient.head_bias};
    thalweg_report report = thalweg_report_default();
    must(thalweg_step(opt, gradients, 4, NULL, &report));
    if ((step + 1) % 100 == 0) {
      must(thalweg_begin_evaluation(opt));  // the parameters hold x, the average
      printf("step %4d  lr %.3f  accuracy %.3f\n", (int)step + 1, report.lr, accuracy(n));
      must(thalweg_end_evaluation(opt));    // and y again, bit for bit
    }
    // end
  }
}

static int write_weights(const char* path, const struct network* n) {
  FILE* file = fopen(path, "wb");
  return file && fwrite(n, sizeof *n, 1, file) == 1 && fclose(file) == 0;
}

static int read_weights(const char* path, struct network* n) {
  FILE* file = fopen(path, "rb");
  return file && fread(n, sizeof *n, 1, file) == 1 && fclose(file) == 0;
}

int main(int count, char** arguments) {
  if (count != 2) {
    fprintf(stderr, "%s FOLDER\n", arguments[0]);
    return 2;
  }
  char weights[4096], checkpoint[4096];
  snprintf(weights, sizeof weights, "%s/ring.weights", arguments[1]);
  snprintf(checkpoint, sizeof checkpoint, "%s/ring.safetensors", arguments[1]);

  struct network n, resumed;
  start(&n);
  thalweg_optimizer* opt = make_optimizer(&n);
  char* table = NULL;
  must(thalweg_describe(opt, &table));
  puts(table);
  thalweg_free(table);
  train(&n, opt, stop);
  if (!write_weights(weights, &n)) return 1;
  must(thalweg_save(opt, checkpoint));
  train(&n, opt, steps);

  puts("\nonce more, from the files:");
  if (!read_weights(weights, &resumed)) return 1; /* first: the checkpoint has checksums of the weights */
  thalweg_optimizer* again = make_optimizer(&resumed);
  must(thalweg_load(again, checkpoint));
  train(&resumed, again, steps);
  const int same = memcmp(&n, &resumed, sizeof n) == 0;
  puts(same ? "the same, bit for bit" : "not the same");

  must(thalweg_begin_evaluation(opt)); /* ship x; without an end, thalweg_destroy puts y back */
  const float at_x = accuracy(&n);
  thalweg_destroy(opt);
  thalweg_destroy(again);
  remove(weights);
  remove(checkpoint);
  return same && at_x > 0.95f ? 0 : 1;
}
