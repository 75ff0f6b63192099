#include "backend/reference/fft_lanes.h"
#include <string.h>

#if defined __clang__ || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#error "needs __builtin_shufflevector"
#endif
#define LIST(...) __VA_ARGS__
#define INLINE static inline __attribute__((always_inline))

#define REAL float
#define COMPLEX c64
#define LANES 8
#define TARGET
#define NAME(x) x##_f32
#include "backend/reference/fft_lanes.inc"
#undef TARGET
#undef NAME
#if defined __x86_64__
#define TARGET __attribute__((target("avx2")))
#define NAME(x) x##_f32_avx2
#include "backend/reference/fft_lanes.inc"
#undef TARGET
#undef NAME
#endif
#undef REAL
#undef COMPLEX
#undef LANES

#define REAL double
#define COMPLEX c128
#define LANES 4
#define TARGET
#define NAME(x) x##_f64
#include "backend/reference/fft_lanes.inc"
#undef TARGET
#undef NAME
#if defined __x86_64__
#define TARGET __attribute__((target("avx2")))
#define NAME(x) x##_f64_avx2
#include "backend/reference/fft_lanes.inc"
#undef TARGET
#undef NAME
#endif

const fft_loops *fft_loops_get(bool wide) {
#if defined __x86_64__
  if (__builtin_cpu_supports("avx2")) return wide ? &loops_f64_avx2 : &loops_f32_avx2;
#endif
  return wide ? &loops_f64 : &loops_f32;
}
