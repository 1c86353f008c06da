/* A small language model of bytes, as C trainers hold one: all weights in one arena, all layers of a kind in one block, the
   head tied to the embedding, the vocabulary padded.

     x = Σ_i wpe[i] ⊙ wte[byte_i] over a window of bytes
     x ← x + W2[l] relu(W1[l] (gain[l] ⊙ norm(x)) + b1[l])   for each layer,  norm(x) = x / rms(x)
     logits = wte (gain_out ⊙ norm(x)) */
#pragma once

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { window = 8, channels = 32, hidden = 64, layers = 3, vocabulary = 32, vocabulary_padded = 64 };

/* The weights, or their gradients, in one arena. */
struct arena {
  float wte[vocabulary_padded][channels];
  float wpe[window][channels];
  float gain[layers][channels];
  float w1[layers][hidden][channels];
  float b1[layers][hidden];
  float w2[layers][channels][hidden];
  float gain_out[channels];
};

static float uniform(unsigned* state) { /* in [-1, 1) */
  *state = *state * 1664525u + 1013904223u;
  return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static void fill(void* weights, size_t count, float size, unsigned* state) {
  for (size_t i = 0; i < count; ++i) ((float*)weights)[i] = size * uniform(state);
}

static void start(struct arena* w) {
  unsigned state = 1;
  memset(w, 0, sizeof *w);
  fill(w->wte, vocabulary * channels, 1, &state); /* the padding stays zero */
  fill(w->wpe, window * channels, 1, &state);
  fill(w->w1, layers * hidden * channels, 0.3f, &state);
  fill(w->w2, layers * channels * hidden, 0.1f, &state);
  for (int c = 0; c < channels; ++c) {
    w->gain_out[c] = 1;
    for (int l = 0; l < layers; ++l) w->gain[l][c] = 1;
  }
}

static float rms_of(const float* x) {
  float squares = 1e-6f;
  for (int c = 0; c < channels; ++c) squares += x[c] * x[c] / channels;
  return sqrtf(squares);
}

/* d x ← d x + the gradient through y = gain ⊙ x / rms(x). */
static void norm_backward(const float* x, float rms, const float* gain, const float* dy, float* dx, float* dgain) {
  float along = 0;
  for (int c = 0; c < channels; ++c) along += dy[c] * gain[c] * x[c] / (rms * channels);
  for (int c = 0; c < channels; ++c) {
    dgain[c] += dy[c] * x[c] / rms;
    dx[c] += (dy[c] * gain[c] - along * x[c] / rms) / rms;
  }
}

/* −log p(next | window), in nats. Adds its gradient, times `share`, to `d` unless that is null. */
static float loss_of(const struct arena* w, const unsigned char* text, float share, struct arena* d) {
  float x[layers + 1][channels] = {{0}}, normed[layers + 1][channels], inner[layers][hidden], rms[layers + 1];
  for (int i = 0; i < window; ++i)
    for (int c = 0; c < channels; ++c) x[0][c] += w->wpe[i][c] * w->wte[text[i]][c];
  for (int l = 0; l <= layers; ++l) {
    const float* gain = l < layers ? w->gain[l] : w->gain_out;
    rms[l] = rms_of(x[l]);
    for (int c = 0; c < channels; ++c) normed[l][c] = gain[c] * x[l][c] / rms[l];
    if (l == layers) break;
    for (int h = 0; h < hidden; ++h) {
      float sum = w->b1[l][h];
      for (int c = 0; c < channels; ++c) sum += w->w1[l][h][c] * normed[l][c];
      inner[l][h] = sum > 0 ? sum : 0;
    }
    for (int c = 0; c < channels; ++c) {
      x[l + 1][c] = x[l][c];
      for (int h = 0; h < hidden; ++h) x[l + 1][c] += w->w2[l][c][h] * inner[l][h];
    }
  }
  float p[vocabulary], most = -1e30f, total = 0;
  for (int v = 0; v < vocabulary; ++v) {
    p[v] = 0;
    for (int c = 0; c < channels; ++c) p[v] += w->wte[v][c] * normed[layers][c];
    most = p[v] > most ? p[v] : most;
  }
  for (int v = 0; v < vocabulary; ++v) total += p[v] = expf(p[v] - most);
  const float loss = -logf(p[text[window]] / total);
  if (!d) return loss;

  float dx[channels] = {0}, dy[channels] = {0};
  for (int v = 0; v < vocabulary; ++v) {
    const float error = share * (p[v] / total - (v == text[window]));
    for (int c = 0; c < channels; ++c) {
      d->wte[v][c] += error * normed[layers][c];
      dy[c] += error * w->wte[v][c];
    }
  }
  norm_backward(x[layers], rms[layers], w->gain_out, dy, dx, d->gain_out);
  for (int l = layers - 1; l >= 0; --l) {
    memset(dy, 0, sizeof dy);
    for (int h = 0; h < hidden; ++h) {
      float below = 0;
      for (int c = 0; c < channels; ++c) {
        d->w2[l][c][h] += dx[c] * inner[l][h];
        below += dx[c] * w->w2[l][c][h];
      }
      if (inner[l][h] <= 0) continue;
      d->b1[l][h] += below;
      for (int c = 0; c < channels; ++c) {
        d->w1[l][h][c] += below * normed[l][c];
        dy[c] += below * w->w1[l][h][c];
      }
    }
    norm_backward(x[l], rms[l], w->gain[l], dy, dx, d->gain[l]);
  }
  for (int i = 0; i < window; ++i)
    for (int c = 0; c < channels; ++c) {
      d->wpe[i][c] += dx[c] * w->wte[text[i]][c];
      d->wte[text[i]][c] += dx[c] * w->wpe[i][c];
    }
  return loss;
}

/* Numbers in English words: "forty two, forty three, …" as codes below `vocabulary`. Returns the length. */
static int spell(unsigned char* to, int from, int last) {
  static const char* const ones[] = {"", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
  static const char* const tens[] = {"", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};
  int length = 0;
  for (int n = from; n <= last; ++n) {
    const char* const words[] = {ones[n / 100], n >= 100 ? "hundred" : "", tens[n / 10 % 10], ones[n % 10]};
    for (int i = 0; i < 4; ++i)
      for (const char* c = words[i]; *c; ++c) {
        if (c == words[i]) to[length++] = 0; /* a space */
        to[length++] = (unsigned char)(*c - 'a' + 2);
      }
    to[length++] = 1; /* a comma */
  }
  return length;
}
