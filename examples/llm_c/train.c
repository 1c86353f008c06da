/* A trainer in the style of llm.c, with thalweg as its optimizer.
     train FOLDER [CHAIN]
   It stops half-way and resumes from its files. */
#include <stdio.h>

#include <thalweg/thalweg.h>

#include "model.h"

enum { batch = 32, steps = 200, stop = 100 };

static void must(thalweg_status status) {
  if (status == THALWEG_OK) return;
  fprintf(stderr, "%s\n", thalweg_last_error());
  exit(1);
}

// snippet: llm_c
enum { tensors = 7 };

static thalweg_optimizer* make_optimizer(struct arena* w, const char* chain) {
  const size_t wte[] = {vocabulary_padded, channels}, wpe[] = {window, channels}, gains[] = {layers, channels},
               w1[] = {layers, hidden, channels}, b1[] = {layers, hidden}, w2[] = {layers, channels, hidden},
               gain[] = {channels};
  const thalweg_parameter parameters[tensors] = {
      {"wte", wte, 2, THALWEG_EMBEDDING, THALWEG_ROW_MAJOR, w->wte}, /* the head is tied to it */
      {"wpe", wpe, 2, THALWEG_EMBEDDING, THALWEG_ROW_MAJOR, w->wpe},
      {"gain", gains, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, w->gain},
      {"w1", w1, 3, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, w->w1},
      {"b1", b1, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, w->b1},
      {"w2", w2, 3, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, w->w2},
      {"gain_out", gain, 1, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, w->gain_out},
  };
  const char* const views[tensors] = {NULL, NULL, "stack", "stack", "stack", "stack", NULL}; /* one parameter per layer */
  const double decay[tensors] = {1, 1, 0, 1, 0, 1, 0};                                       /* none on vectors */
  thalweg_options options = thalweg_options_default();
  options.lr = 0.02;
  options.weight_decay = 0.1;
  options.weight_decay_factors = decay;
  options.views = views;
  options.warmup_steps = 40;
  thalweg_optimizer* opt = NULL;
  must(thalweg_create(chain, THALWEG_FLOAT32, parameters, tensors, &options, &opt));
  return opt;
}

static void step(thalweg_optimizer* opt, const struct arena* d, float loss) {
  const void* gradients[tensors] = {d->wte, d->wpe, d->gain, d->w1, d->b1, d->w2, d->gain_out};
  thalweg_report report = thalweg_report_default();
  int64_t number = 0;
  must(thalweg_step(opt, gradients, tensors, NULL, &report));
  must(thalweg_get_steps(opt, &number));
  if (number % 10 == 0)
    printf("step %3d  loss %.4f  lr %.2e  gradient norm %.3f\n", (int)number, loss, report.lr, report.gradient_norm);
}
// end

static float validate(thalweg_optimizer* opt, const struct arena* w) {
  unsigned char text[8192];
  float loss = 0;
  const int length = spell(text, 600, 649);
  must(thalweg_begin_evaluation(opt)); /* at x, the average, if the chain keeps one */
  for (int i = 0; i + window < length; ++i) loss += loss_of(w, text + i, 1, NULL) / (float)(length - window);
  must(thalweg_end_evaluation(opt));
  return loss;
}

static void train(thalweg_optimizer* opt, struct arena* w, int last) {
  static unsigned char text[65536];
  const int length = spell(text, 1, 599);
  int64_t done = 0;
  must(thalweg_get_steps(opt, &done));
  for (; done < last; ++done) {
    struct arena d;
    unsigned state = 1000 + (unsigned)done;
    float loss = 0;
    memset(&d, 0, sizeof d);
    for (int k = 0; k < batch; ++k) {
      const int at = (int)((uniform(&state) * 0.5f + 0.5f) * (float)(length - window - 1));
      loss += loss_of(w, text + at, 1.0f / batch, &d) / batch;
    }
    step(opt, &d, loss);
  }
}

int main(int count, char** arguments) {
  if (count < 2 || count > 3) return 2;
  const char* const chain = count == 3 ? arguments[2]
                                       : "clip_by_global_norm(max_norm=1) | cosine(steps=200, final=0.1) | "
                                         "muon(scale=match_rms(rms=0.2), auxiliary_lr=1)";
  static struct arena w, resumed;
  char path[4096];
  snprintf(path, sizeof path, "%s/llm.safetensors", arguments[1]);
  start(&w);
  thalweg_optimizer* opt = make_optimizer(&w, chain);
  char* table = NULL;
  must(thalweg_describe(opt, &table));
  puts(table);
  thalweg_free(table);
  train(opt, &w, stop);
  must(thalweg_save(opt, path));
  resumed = w; /* a trainer writes its arena next to the checkpoint */
  train(opt, &w, steps);

  puts("once more, from the files:");
  thalweg_optimizer* again = make_optimizer(&resumed, chain);
  must(thalweg_load(again, path));
  train(again, &resumed, steps);
  const int same = memcmp(&w, &resumed, sizeof w) == 0;
  const float loss = validate(opt, &w);
  printf("validation %.4f; resumed: %s\n", loss, same ? "the same, bit for bit" : "not the same");
  thalweg_destroy(opt);
  thalweg_destroy(again);
  remove(path);
  return same && loss < 1.3f ? 0 : 1;
}
