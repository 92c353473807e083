/* The loops that the interpreter is measured against. NAME(f) is defined by build.rs. */
#include <math.h>
#include <stddef.h>

void NAME(add)(const float *restrict x, const float *restrict y, float *restrict out, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = x[i] + y[i];
}

/* max(|x + y| * 0.5, 0.25) */
void NAME(chain)(const float *restrict x, const float *restrict y, float *restrict out, size_t n) {
  for (size_t i = 0; i < n; i++) {
    float v = x[i] + y[i];
    v = fabsf(v) * 0.5f;
    out[i] = v > 0.25f ? v : 0.25f;
  }
}
