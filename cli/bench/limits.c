/* What the machine can do: fused multiply-adds a second, bytes a second from each level of memory. Loops over the
 * compiler's vectors, once for each instruction set, whatever the program itself is compiled for. */
#include "bench/limits.h"
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct job job;
/* Does the work so many times over. */
typedef void work(job *j, int64_t rounds);

/* Where threads wait for each other. */
typedef struct meeting {
  int threads;
  atomic_int arrived;
  atomic_bool off; /* some thread could not be started */
} meeting;

struct job {
  work *work;
  int64_t rounds;
  int repetitions;
  void *from, *to; /* `bytes` each, where the work is on memory */
  size_t bytes;
  meeting *meeting;
  double *start, *stop; /* one for each repetition */
  double sink;          /* so that no work can be left out */
};

/* Independent chains of instructions, more than two units of latency 5 need, and than four of latency 4 where there are
 * registers for so many. */
#if defined(__aarch64__)
#define MORE(F) F(12) F(13) F(14) F(15) F(16) F(17) F(18) F(19) F(20) F(21) F(22) F(23)
enum { CHAINS = 24 };
#else
#define MORE(F)
enum { CHAINS = 12 };
#endif
#define EACH(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) MORE(F)

/* Memory may have changed: no round can be left out. */
#define NEW_ROUND __asm__ volatile("" ::: "memory")
#define DECLARE(i) v a##i = x + (type_of)i;
/* One instruction where there is one: this file is compiled with -ffp-contract=fast. */
#define MULTIPLY_ADD(i) a##i = a##i * x + y;
#define ADD_UP(i) +a##i
#define LOAD(i) s##i += p[i];
#define ZERO(i) v s##i = {0};
#define ADD_SUMS(i) +s##i

#define FMA_KERNEL(name, type, bytes_of, target)                                                                       \
  target static void name(job *j, int64_t rounds) {                                                                    \
    typedef type v __attribute__((vector_size(bytes_of)));                                                             \
    typedef type type_of;                                                                                              \
    v x = {0}, y = {0};                                                                                                \
    x += (type)0.999;                                                                                                  \
    y += (type)0.001;                                                                                                  \
    EACH(DECLARE)                                                                                                      \
    for (int64_t r = 0; r < rounds; r++) {                                                                             \
      EACH(MULTIPLY_ADD)                                                                                               \
    }                                                                                                                  \
    x = x EACH(ADD_UP);                                                                                                \
    j->sink += (double)x[0];                                                                                           \
  }

/* What an exponential is made of, without its dependences: 10 multiply-adds, 2 products, 4 sums, a shift. */
enum { MIX = 17 };
#if defined(__aarch64__)
#define UNKNOWN(x) __asm__("" : "+w"(x))
#else
#define UNKNOWN(x) __asm__("" : "+x"(x))
#endif
#define MIX_KERNEL(name, bytes_of, target)                                                                             \
  target static void name(job *j, int64_t rounds) {                                                                    \
    typedef float v __attribute__((vector_size(bytes_of)));                                                            \
    typedef int32_t w __attribute__((vector_size(bytes_of)));                                                          \
    v x = {0}, y = {0};                                                                                                \
    x += 1;                                                                                                            \
    UNKNOWN(x);                                                                                                        \
    UNKNOWN(y);                                                                                                        \
    v a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, m0 = x, m1 = x, b0 = x, b1 = x, b2 = x, b3 = x;                          \
    w s = (w)x;                                                                                                        \
    UNKNOWN(a0);                                                                                                       \
    UNKNOWN(a1);                                                                                                       \
    UNKNOWN(a2);                                                                                                       \
    UNKNOWN(a3);                                                                                                       \
    UNKNOWN(a4);                                                                                                       \
    UNKNOWN(m0);                                                                                                       \
    UNKNOWN(m1);                                                                                                       \
    UNKNOWN(b0);                                                                                                       \
    UNKNOWN(b1);                                                                                                       \
    UNKNOWN(b2);                                                                                                       \
    UNKNOWN(b3);                                                                                                       \
    UNKNOWN(s);                                                                                                        \
    for (int64_t r = 0; r < rounds; r++) {                                                                             \
      a0 = a0 * x + y;                                                                                                 \
      b0 += y;                                                                                                         \
      a1 = a1 * x + y;                                                                                                 \
      m0 *= x;                                                                                                         \
      a2 = a2 * x + y;                                                                                                 \
      b1 += y;                                                                                                         \
      a3 = a3 * x + y;                                                                                                 \
      s <<= 3;                                                                                                         \
      a4 = a4 * x + y;                                                                                                 \
      b2 += y;                                                                                                         \
      a0 = a0 * x + y;                                                                                                 \
      m1 *= x;                                                                                                         \
      a1 = a1 * x + y;                                                                                                 \
      b3 += y;                                                                                                         \
      a2 = a2 * x + y;                                                                                                 \
      a3 = a3 * x + y;                                                                                                 \
      a4 = a4 * x + y;                                                                                                 \
      UNKNOWN(s);                                                                                                      \
    }                                                                                                                  \
    x = a0 + a1 + a2 + a3 + a4 + m0 + m1 + b0 + b1 + b2 + b3 + (v)s;                                                   \
    j->sink += (double)x[0];                                                                                           \
  }

#define READ_KERNEL(name, bytes_of, target)                                                                            \
  target static void name(job *j, int64_t rounds) {                                                                    \
    typedef float v __attribute__((vector_size(bytes_of), may_alias));                                                 \
    v x = {0};                                                                                                         \
    for (int64_t r = 0; r < rounds; r++) {                                                                             \
      const v *p = j->from, *end = p + j->bytes / sizeof(v) / CHAINS * CHAINS;                                         \
      EACH(ZERO)                                                                                                       \
      for (; p < end; p += CHAINS) {                                                                                   \
        EACH(LOAD)                                                                                                     \
      }                                                                                                                \
      x = x EACH(ADD_SUMS);                                                                                            \
      NEW_ROUND;                                                                                                       \
    }                                                                                                                  \
    j->sink += (double)x[0];                                                                                           \
  }

#define KERNELS(bytes_of, target)                                                                                      \
  FMA_KERNEL(fma_f32_##bytes_of, float, bytes_of, target)                                                              \
  FMA_KERNEL(fma_f64_##bytes_of, double, bytes_of, target)                                                             \
  MIX_KERNEL(mix_##bytes_of, bytes_of, target)                                                                         \
  READ_KERNEL(read_##bytes_of, bytes_of, target)

typedef struct instruction_set {
  bool there;
  int bytes; /* of a vector */
  work *f32, *f64, *mix, *read;
} instruction_set;

#if defined(__x86_64__)
KERNELS(16, )
KERNELS(32, __attribute__((target("avx2,fma"))))
KERNELS(64, __attribute__((target("avx512f,fma"))))

/* Dot products of pairs of bfloat16 added to f32: the compilers know the instruction by different names. */
#define BF16_DECLARE(i) v a##i = x;
#define BF16_DOT(i) __asm__ volatile("vdpbf16ps %1, %1, %0" : "+v"(a##i) : "v"(x));
__attribute__((target("avx512bf16"))) static void dot_bf16(job *j, int64_t rounds) {
  typedef float v __attribute__((vector_size(64)));
  v x = {0};
  EACH(BF16_DECLARE)
  for (int64_t r = 0; r < rounds; r++) {
    EACH(BF16_DOT)
  }
  x = x EACH(ADD_UP);
  j->sink += (double)x[0];
}

static int find_sets(instruction_set *s, work **bf16) {
  bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  s[0] = (instruction_set){true, 16, fma_f32_16, fma_f64_16, mix_16, read_16};
  s[1] = (instruction_set){fma, 32, fma_f32_32, fma_f64_32, mix_32, read_32};
  s[2] = (instruction_set){fma && __builtin_cpu_supports("avx512f"), 64, fma_f32_64, fma_f64_64, mix_64, read_64};
  *bf16 = __builtin_cpu_supports("avx512bf16") ? dot_bf16 : NULL;
  return 3;
}
#else
KERNELS(16, )

static int find_sets(instruction_set *s, work **bf16) {
  s[0] = (instruction_set){true, 16, fma_f32_16, fma_f64_16, mix_16, read_16};
  *bf16 = NULL;
  return 1;
}
#endif

/* The C library's copy bypasses the caches where that is faster. */
static void copy(job *j, int64_t rounds) {
  for (int64_t r = 0; r < rounds; r++) {
    memcpy(j->to, j->from, j->bytes);
    NEW_ROUND;
  }
}

/* Memory that is there: each thread touches its own. */
static void *touched(size_t bytes) {
  enum { HUGE_PAGE = 2 << 20 };
  void *p = NULL;
  if (!bytes || posix_memalign(&p, HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE) != 0) return NULL;
  madvise(p, bytes, MADV_HUGEPAGE);
  memset(p, 0, bytes);
  return p;
}

/* For the n-th time. */
static void meet(meeting *m, int n) {
  atomic_fetch_add(&m->arrived, 1);
  while (atomic_load(&m->arrived) < n * m->threads && !atomic_load(&m->off)) sched_yield();
}

static void *run_job(void *argument) {
  job *j = argument;
  j->from = touched(j->bytes);
  j->to = touched(j->work == copy ? j->bytes : 0);
  bool able = !j->bytes || (j->from && (j->to || j->work != copy));
  for (int i = 0; i < j->repetitions; i++) {
    meet(j->meeting, i + 1);
    j->start[i] = clock_ms();
    if (able) j->work(j, j->rounds);
    j->stop[i] = able ? clock_ms() : (double)INFINITY;
  }
  free(j->from);
  free(j->to);
  return NULL;
}

enum { MAX_THREADS = 256, REPETITIONS = 9 };

/* The least time, in ms, in which all threads did their rounds side by side; infinity if some could not. */
static double least_time(work *w, int threads, int64_t rounds, size_t bytes, int repetitions) {
  double times[MAX_THREADS][2][REPETITIONS], least = (double)INFINITY;
  pthread_t ids[MAX_THREADS];
  job jobs[MAX_THREADS];
  meeting m = {.threads = threads};
  if (threads > MAX_THREADS) return least;
  for (int i = 0; i < threads; i++)
    jobs[i] = (job){.work = w,
                    .rounds = rounds,
                    .repetitions = repetitions,
                    .bytes = bytes,
                    .meeting = &m,
                    .start = times[i][0],
                    .stop = times[i][1]};
  int started = 1;
  while (started < threads && pthread_create(&ids[started], NULL, run_job, &jobs[started]) == 0) started++;
  if (started == threads)
    run_job(&jobs[0]);
  else
    atomic_store(&m.off, true);
  for (int i = 1; i < started; i++) pthread_join(ids[i], NULL);
  for (int r = 0; started == threads && r < repetitions; r++) {
    double start = times[0][0][r], stop = times[0][1][r];
    for (int i = 1; i < threads; i++) {
      start = fmin(start, times[i][0][r]);
      stop = fmax(stop, times[i][1][r]);
    }
    least = fmin(least, stop - start);
  }
  return least;
}

/* How long a measurement takes. */
typedef enum effort { PIECE, QUICK, FULL } effort;

/* Units a second, in thousands of millions; `units` in a round of one thread. */
static double rate(work *w, int threads, size_t bytes, double units, effort how) {
  double enough_ms = how == FULL ? 8 : how == QUICK ? 1 : 0.5;
  int64_t rounds = 1;
  while (rounds < INT64_C(1) << 40 && least_time(w, 1, rounds, bytes, 1) < enough_ms) rounds *= 2;
  double ms = least_time(w, threads, rounds, bytes, how == FULL ? REPETITIONS : 3);
  return units * (double)rounds * threads / ms * 1e-6;
}

/* The kernel knows how processors share a cache; the C library may give the sum over a socket. */
static double cache_size(int level, int name, double otherwise) {
  char path[80];
  long n = 0;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", level);
  FILE *f = fopen(path, "re");
  bool known = f && fscanf(f, "%ldK", &n) == 1;
  if (f) fclose(f);
  if (known && n > 0) return 1024.0 * (double)n;
  n = sysconf(name);
  return n > 0 ? (double)n : otherwise;
}

/* One thread alone does what each of several did. */
static void at_least(double limit[2], int all, int threads, double measured) {
  limit[all] = fmax(limit[all], measured);
  limit[0] = fmax(limit[0], limit[1] / threads);
}

enum { WANT_F32 = 1, WANT_F64 = 2, WANT_BF16 = 4, WANT_MIX = 8 };

static void measure_peaks(bench_limits *l, unsigned wanted, int all, effort how) {
  instruction_set sets[3];
  work *bf16;
  int n = find_sets(sets, &bf16), threads = all ? l->threads : 1;
  for (int i = 0; i < n; i++) {
    if (!sets[i].there) continue;
    double vectors = 2.0 * (double)CHAINS * sets[i].bytes;
    if (wanted & WANT_F32)
      at_least(l->f32, all, l->threads, rate(sets[i].f32, threads, 0, vectors / sizeof(float), how));
    if (wanted & WANT_F64)
      at_least(l->f64, all, l->threads, rate(sets[i].f64, threads, 0, vectors / sizeof(double), how));
    if (wanted & WANT_MIX)
      at_least(l->mix, all, l->threads, rate(sets[i].mix, threads, 0, MIX * sets[i].bytes / 4.0, how));
  }
  if (bf16 && (wanted & WANT_BF16))
    at_least(l->bf16, all, l->threads, rate(bf16, threads, 0, 2.0 * (double)CHAINS * 32, how));
}

static void measure_level(bench_limits *l, int level, bool reading, effort how) {
  instruction_set sets[3];
  work *bf16, *read = NULL;
  int n = find_sets(sets, &bf16);
  for (int i = 0; i < n; i++)
    if (sets[i].there) read = sets[i].read;
  size_t bytes = (size_t)(l->inside[level] / l->threads) & ~(size_t)4095;
  double *limit = reading ? l->read : l->copy;
  double speed = rate(reading ? read : copy, l->threads, reading ? bytes : bytes / 2, (double)bytes, how);
  limit[level] = fmax(limit[level], speed);
  /* A level is as fast as those behind it. */
  for (int i = LEVELS - 2; i >= 0; i--) limit[i] = fmax(limit[i], limit[i + 1]);
}

void limits_measure(bench_limits *l, int threads, bool quick) {
  effort how = quick ? QUICK : FULL;
  *l = (bench_limits){.threads = threads};
  for (int all = 0; all < 2; all++) measure_peaks(l, WANT_F32 | WANT_F64 | WANT_BF16 | WANT_MIX, all, how);
  double l2 = cache_size(2, _SC_LEVEL2_CACHE_SIZE, 512 << 10), l3 = cache_size(3, _SC_LEVEL3_CACHE_SIZE, 8 << 20);
  l->room[LEVEL_L2] = l2 * threads;
  /* What the second level holds need not be in the third. */
  l->room[LEVEL_L3] = l3 + l->room[LEVEL_L2];
  l->room[LEVEL_MEMORY] = (double)INFINITY;
  l->inside[LEVEL_L2] = 0.5 * l->room[LEVEL_L2];
  l->inside[LEVEL_L3] = fmax(0.5 * l3, fmin(1.5 * l->room[LEVEL_L2], 0.8 * l3));
  l->inside[LEVEL_MEMORY] = fmax(4 * l3, (quick ? 64 : 256) << 20);
  for (int level = 0; level < LEVELS; level++) {
    measure_level(l, level, true, how);
    measure_level(l, level, false, how);
  }
}

/* What the case moves: how much, in which level, and whether it is read rather than copied. */
static double traffic(const bench_limits *l, const bench_case *k, tme_dtype dtype, int *level, bool *reading) {
  double size = (double)tme_dtype_size(dtype), bytes = size * k->elements, inputs = 0;
  for (int i = 0; i < k->ninputs; i++) inputs += size * (double)bench_size(&k->in[i]);
  *level = 0;
  /* Two sets of inputs take turns. */
  while (bytes + inputs > l->room[*level]) ++*level;
  *reading = inputs > 0.9 * bytes;
  return bytes;
}

void limits_again(bench_limits *l, const bench_case *k, tme_dtype dtype, double others) {
  int level;
  bool reading;
  if (!(traffic(l, k, dtype, &level, &reading) > 0)) return;
  measure_level(l, level, reading, PIECE);
  unsigned peak = dtype == TME_F64 ? WANT_F64 : dtype == TME_BF16 ? WANT_BF16 | WANT_F32 : WANT_F32;
  measure_peaks(l, (k->products ? peak : 0) | (others > 0 ? WANT_MIX : 0), 1, PIECE);
}

double limits_of(const bench_limits *l, const bench_case *k, tme_dtype dtype, double others, const char **what) {
  static const char *const levels[LEVELS] = {"L2", "L3", "memory"};
  int level;
  bool reading;
  double bytes = traffic(l, k, dtype, &level, &reading);
  if (bytes <= 0) return (double)NAN;
  double speed = reading ? l->read[level] : l->copy[level];
  double peak = dtype == TME_F64 ? l->f64[1] : dtype == TME_BF16 && l->bf16[1] > 0 ? l->bf16[1] : l->f32[1];
  double mix = dtype == TME_F64 ? l->mix[1] / 2 : l->mix[1]; /* functions of 16-bit numbers are computed in f32 */
  double moving = bytes / speed * 1e-6;
  double computing = (k->products ? k->operations / peak * 1e-6 : 0) + others / mix * 1e-6;
  *what = computing > moving ? "operations" : levels[level];
  return fmax(moving, computing);
}
