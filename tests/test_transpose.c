/* Maps over transposed operands in memory between guard pages: compiled as by the reference, bit for bit. */
#include "support/engines.h"
#include "base/base.h"
#include "tme/ops.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static tme_engine *compiled, *reference;

static int open_engines(void **state) {
  (void)state;
  compiled = test_engine("cpu");
  reference = test_engine("reference");
  return compiled && reference ? 0 : -1;
}

static int close_engines(void **state) {
  (void)state;
  tme_engine_free(compiled);
  tme_engine_free(reference);
  return 0;
}

/* The operand ends at the end of its pages, or starts at their start; behind and before is memory that must not be read. */
typedef struct memory {
  uint8_t *map, *data;
  size_t mapped;
} memory;

static memory memory_new(size_t bytes, bool at_end) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page - 1) / page * page;
  memory m = {.mapped = inner + 2 * page};
  m.map = mmap(NULL, m.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(m.map != MAP_FAILED);
  if (inner) assert_int_equal(mprotect(m.map + page, inner, PROT_READ | PROT_WRITE), 0);
  m.data = m.map + page + (at_end ? inner - bytes : 0);
  return m;
}

static const struct shape {
  int rank;
  int64_t extent[3], order[3];
} shapes[] = {
    {2, {4, 4}, {1, 0}},          {2, {7, 9}, {1, 0}},          {2, {8, 16}, {1, 0}},
    {2, {17, 33}, {1, 0}},        {2, {31, 64}, {1, 0}},        {2, {64, 31}, {1, 0}},
    {2, {256, 128}, {1, 0}},      {2, {300, 301}, {1, 0}},      {2, {1100, 70}, {1, 0}},
    {2, {70, 1100}, {1, 0}},      {2, {1000, 3}, {1, 0}},       {2, {3, 1000}, {1, 0}},
    {2, {2000, 4}, {1, 0}},       {2, {513, 257}, {1, 0}},      {3, {5, 40, 33}, {0, 2, 1}},
    {3, {20, 17, 40}, {2, 1, 0}}, {3, {20, 17, 40}, {2, 0, 1}}, {3, {64, 9, 16}, {1, 2, 0}},
    {3, {33, 8, 8}, {0, 2, 1}},   {3, {6, 50, 20}, {1, 0, 2}},
};
static const tme_dtype dtypes[] = {TME_F32, TME_F64, TME_F16, TME_U8, TME_I16, TME_I64, TME_BOOL, TME_C64};

enum { PLAIN, FLIPPED, MIXED, PADDED, CASES };

/* A map of the operand, its dimensions in another order. */
static tme_array *map_of(tme_scope *s, const struct shape *sh, tme_dtype t, const void *data, int kind) {
  tme_array *x = tme_wrap(s, t, sh->rank, sh->extent, NULL, data, NULL, NULL);
  if (kind == FLIPPED) x = tme_flip(s, x, (int[]){0, sh->rank - 1}, 2);
  if (kind == PADDED) x = tme_pad(s, x, (int64_t[]){1, 0, 2}, (int64_t[]){0, 3, 1}, 1, NULL);
  tme_array *y = tme_transpose(s, x, sh->order, sh->rank);
  if (t == TME_BOOL) return tme_logical_not(s, y);
  if (kind != MIXED) return tme_add(s, y, tme_integer(s, 1));
  const int64_t *to = tme_array_shape(y);
  return tme_add(s, y, tme_wrap(s, t, sh->rank, to, NULL, data, NULL, NULL)); /* the same memory along the result */
}

static void fill(tme_dtype t, uint8_t *p, size_t bytes) {
  static uint64_t seed = 1;
  for (size_t i = 0; i < bytes; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    p[i] = (uint8_t)(t == TME_BOOL ? seed >> 63 : seed >> 58); /* no NaN, whose bits are nobody's concern */
  }
}

static void check(const struct shape *sh, tme_dtype t, int kind, bool at_end) {
  size_t bytes = tme_dtype_size(t);
  for (int d = 0; d < sh->rank; d++) bytes *= (size_t)sh->extent[d];
  memory m = memory_new(bytes, at_end);
  fill(t, m.data, bytes);
  tme_scope *a = tme_scope_new(compiled), *b = tme_scope_new(reference);
  tme_array *x = map_of(a, sh, t, m.data, kind), *y = map_of(b, sh, t, m.data, kind);
  const uint8_t *got = tme_data(a, x), *want = tme_data(b, y);
  if (!got || !want) fail_msg("%s%s", tme_error(a), tme_error(b));
  size_t size = tme_dtype_size(t);
  for (int64_t i = 0; i < tme_array_size(y); i++)
    if (memcmp(got + (size_t)i * size, want + (size_t)i * size, size))
      fail_msg("%s, shape %d, case %d: element %lld differs", tme_dtype_name(t), (int)(sh - shapes), kind,
               (long long)i);
  tme_scope_free(a);
  tme_scope_free(b);
  munmap(m.map, m.mapped);
}

static void test_maps(void **state) {
  (void)state;
  for (int i = 0; i < COUNT(shapes) * COUNT(dtypes) * CASES; i += 3)
    check(&shapes[i % COUNT(shapes)], dtypes[i / COUNT(shapes) % COUNT(dtypes)], i / COUNT(shapes) / COUNT(dtypes),
          i % 3 > 0);
  tme_stats s;
  tme_engine_stats(compiled, &s);
  if (tme_engine_has_jit(compiled)) assert_int_equal(s.fallbacks, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_maps)};
  return cmocka_run_group_tests(tests, open_engines, close_engines);
}
