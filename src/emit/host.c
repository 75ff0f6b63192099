/* The host processor as LLVM would describe it, found without LLVM: the name only tunes, the features decide. */
#include "emit/emit.h"
#include <stdio.h>
#include <string.h>

static void add(emit_target *t, bool present, const char *name) {
  size_t n = strlen(t->features), left = sizeof t->features - n;
  if (strlen(name) + 3 < left) snprintf(t->features + n, left, "%s%c%s", n ? "," : "", present ? '+' : '-', name);
}

#if defined(__x86_64__)
#include <cpuid.h>

typedef struct leaf {
  unsigned a, b, c, d;
} leaf;

static leaf cpuid(unsigned number, unsigned sub) {
  leaf l = {0};
  if (!__get_cpuid_count(number, sub, &l.a, &l.b, &l.c, &l.d)) return (leaf){0};
  return l;
}

/* The leaves that hold features, each read once: a hypervisor answers in microseconds, not in cycles. */
typedef struct leaves {
  leaf basic, extended, extended1, amd; /* 1, 7.0, 7.1, 0x80000001 */
} leaves;

static leaf leaf_of(const leaves *l, unsigned number, unsigned sub) {
  return number == 1 ? l->basic : number == 0x81 ? l->amd : sub ? l->extended1 : l->extended;
}

/* Which register files the system saves: bit 1 SSE, 2 AVX, 5-7 AVX-512. */
static unsigned saved_state(const leaves *l) {
  unsigned a, d;
  if (!(l->basic.c >> 27 & 1)) return 0;
  __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  return a;
}

enum { BASE, YMM, ZMM }; /* what must be saved for a feature to be usable */

typedef struct feature {
  const char *name;
  unsigned char number, sub, reg, bit, needs; /* leaf: 1, 7, or 0x81 for 0x80000001; reg 0-3: a b c d */
} feature;

/* Those that generated code can use. */
static const feature features[] = {
    {"ssse3", 1, 0, 2, 9, BASE},        {"fma", 1, 0, 2, 12, YMM},
    {"sse4.1", 1, 0, 2, 19, BASE},      {"sse4.2", 1, 0, 2, 20, BASE},
    {"popcnt", 1, 0, 2, 23, BASE},      {"avx", 1, 0, 2, 28, YMM},
    {"f16c", 1, 0, 2, 29, YMM},         {"bmi", 7, 0, 1, 3, BASE},
    {"avx2", 7, 0, 1, 5, YMM},          {"bmi2", 7, 0, 1, 8, BASE},
    {"avx512f", 7, 0, 1, 16, ZMM},      {"avx512dq", 7, 0, 1, 17, ZMM},
    {"avx512ifma", 7, 0, 1, 21, ZMM},   {"avx512cd", 7, 0, 1, 28, ZMM},
    {"avx512bw", 7, 0, 1, 30, ZMM},     {"avx512vl", 7, 0, 1, 31, ZMM},
    {"avx512vbmi", 7, 0, 2, 1, ZMM},    {"avx512vbmi2", 7, 0, 2, 6, ZMM},
    {"gfni", 7, 0, 2, 8, BASE},         {"avx512vnni", 7, 0, 2, 11, ZMM},
    {"avx512bitalg", 7, 0, 2, 12, ZMM}, {"avx512vpopcntdq", 7, 0, 2, 14, ZMM},
    {"avx512fp16", 7, 0, 3, 23, ZMM},   {"avxvnni", 7, 1, 0, 4, YMM},
    {"avx512bf16", 7, 1, 0, 5, ZMM},    {"lzcnt", 0x81, 0, 2, 5, BASE},
    {"sse4a", 0x81, 0, 2, 6, BASE},
};

static bool present(const feature *f, const leaves *all, unsigned state) {
  leaf l = leaf_of(all, f->number, f->sub);
  const unsigned regs[] = {l.a, l.b, l.c, l.d};
  unsigned need = f->needs == ZMM ? 0xe6 : f->needs == YMM ? 0x6 : 0;
  return (regs[f->reg] >> f->bit & 1) && (state & need) == need;
}

static bool has(const emit_target *t, const char *name) {
  char key[32];
  snprintf(key, sizeof key, "+%s,", name);
  return strstr(t->features, key) != NULL;
}

/* Names as LLVM's getHostCPUName gives them, for the processors common at the time of writing. */
static const char *intel(unsigned family, unsigned model, const emit_target *t) {
  if (family == 19) return "diamondrapids";
  if (family != 6) return NULL;
  switch (model) {
  case 0x3c:
  case 0x3f:
  case 0x45:
  case 0x46: return "haswell";
  case 0x3d:
  case 0x47:
  case 0x4f:
  case 0x56: return "broadwell";
  case 0x4e:
  case 0x5e:
  case 0x8e:
  case 0x9e:
  case 0xa5:
  case 0xa6: return "skylake";
  case 0x55: return has(t, "avx512bf16") ? "cooperlake" : has(t, "avx512vnni") ? "cascadelake" : "skylake-avx512";
  case 0x6a:
  case 0x6c: return "icelake-server";
  case 0x7d:
  case 0x7e: return "icelake-client";
  case 0x8c:
  case 0x8d: return "tigerlake";
  case 0xa7: return "rocketlake";
  case 0x8f: return "sapphirerapids";
  case 0xcf: return "emeraldrapids";
  case 0xad:
  case 0xae: return "graniterapids";
  case 0x97:
  case 0x9a:
  case 0xb7:
  case 0xba:
  case 0xbf:
  case 0xaa:
  case 0xac: return "alderlake";
  default: return NULL;
  }
}

static const char *amd(unsigned family, unsigned model) {
  if (family == 0x17) return model >= 0x30 ? "znver2" : "znver1";
  if (family == 0x19) {
    bool fourth = (model >= 0x10 && model <= 0x1f) || (model >= 0x60 && model <= 0x7f) || model >= 0xa0;
    return fourth ? "znver4" : "znver3";
  }
  return family == 0x1a ? "znver4" : NULL; /* LLVM before 19 does not know znver5; both are tuned alike */
}

/* The level of the psABI that all needed features reach. */
static const char *level(const emit_target *t) {
  bool v2 = has(t, "sse4.2") && has(t, "popcnt");
  bool v3 = v2 && has(t, "avx2") && has(t, "fma") && has(t, "bmi2") && has(t, "f16c") && has(t, "lzcnt");
  bool v4 = v3 && has(t, "avx512f") && has(t, "avx512bw") && has(t, "avx512vl") && has(t, "avx512dq");
  return v4 ? "x86-64-v4" : v3 ? "x86-64-v3" : v2 ? "x86-64-v2" : "x86-64";
}

void emit_host_target(emit_target *t) {
  *t = (emit_target){.triple = "x86_64-unknown-linux-gnu", .vector_bytes = 16};
  leaves l = {cpuid(1, 0), cpuid(7, 0), cpuid(7, 1), cpuid(0x80000001u, 0)};
  unsigned state = saved_state(&l);
  for (int i = 0; i < COUNT(features); i++) add(t, present(&features[i], &l, state), features[i].name);
  add(t, true, "sse2"); /* also ends the list, so that every other name is followed by a comma */
  leaf vendor = cpuid(0, 0), id = l.basic;
  unsigned family = id.a >> 8 & 15, model = id.a >> 4 & 15;
  if (family == 6 || family == 15) model |= id.a >> 12 & 0xf0;
  if (family == 15) family += id.a >> 20 & 0xff;
  const char *name = NULL, *generic = level(t);
  if (vendor.b == 0x756e6547) /* "Genu" */
    name = intel(family, model, t);
  else if (vendor.b == 0x68747541) /* "Auth" */
    name = amd(family, model);
  /* Where a hypervisor hides features, a name that implies them would be wrong only in tuning: the list switches them
   * off. But without AVX the tuning of a wide processor is of no use. */
  if (!name || !has(t, "avx2")) name = generic;
  snprintf(t->cpu, sizeof t->cpu, "%s", name);
  bool wide = has(t, "avx512f") && has(t, "avx512bw") && has(t, "avx512vl") && has(t, "avx512dq");
  t->vector_bytes = wide ? 64 : has(t, "avx2") ? 32 : 16;
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

void emit_host_target(emit_target *t) {
  static const struct {
    const char *name;
    int bit;
  } features[] = {{"fp-armv8", 0}, {"neon", 1}, {"crc", 7}, {"lse", 8}, {"fullfp16", 10}, {"rdm", 12}, {"dotprod", 20}};
  *t = (emit_target){.triple = "aarch64-unknown-linux-gnu", .cpu = "generic", .vector_bytes = 16};
  unsigned long have = getauxval(AT_HWCAP);
  for (int i = 0; i < COUNT(features); i++) {
    if (have >> features[i].bit & 1) add(t, true, features[i].name);
  }
}

#else

void emit_host_target(emit_target *t) {
  *t = (emit_target){.cpu = "generic", .vector_bytes = 16};
  (void)add;
}

#endif
