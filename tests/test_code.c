#include "backend/cpu/code.h"
#include "backend/cpu/code_elf.h"
#include "backend/cpu/code_pages.h"
#include "objects.h"
#include <elf.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#ifdef __aarch64__
#define object_native object_arm
#else
#define object_native object_x86
#endif

static double horner(double x, long n) {
  static const double coefficients[4] = {0.5, 1.25, -3.0, 2.0};
  double s = 0;
  for (long i = 0; i < n; i++) s = s * x + coefficients[i & 3];
  return s;
}

static void check_runs(const code *c) {
  void (*k)(double *, const double *, long);
  void *entry = code_entry(c);
  memcpy(&k, &entry, sizeof k);
  double in[9], out[9];
  for (int i = 0; i < 9; i++) in[i] = i * 0.25 - 1;
  k(out, in, 9);
  for (int i = 0; i < 9; i++) assert_true(out[i] == horner(in[i], 9) + horner(3.5, i));
}

/* Every mapping of the process that covers the code: executable, and none of the code's memory file writable. */
static void check_protection(const code *c) {
  FILE *maps = fopen("/proc/self/maps", "r");
  assert_non_null(maps);
  unsigned long at = (unsigned long)(uintptr_t)code_entry(c), from, to;
  char line[1024], mode[8];
  bool found = false;
  while (fgets(line, sizeof line, maps)) {
    assert_int_equal(sscanf(line, "%lx-%lx %7s", &from, &to, mode), 3);
    if (at >= from && at < to) {
      assert_true(mode[0] == 'r' && mode[1] == '-' && mode[2] == 'x');
      found = true;
    }
    if (strstr(line, "tme-code")) assert_true(mode[1] == '-');
  }
  assert_true(found);
  fclose(maps);
}

static code *load_native(code_arena *a) {
  error e = {0};
  code *c = code_load(a, object_native, sizeof object_native, "k", &e);
  if (!c) fail_msg("%s", e.text);
  return c;
}

static void loads_and_runs(void **state) {
  (void)state;
  for (int refused = 0; refused < 2; refused++) {
    pages_refuse_memfd(refused);
    long before = mem_live();
    code_arena *a = code_arena_new(NULL);
    assert_non_null(a);
    enum { N = 40 };
    code *c[N];
    for (int i = 0; i < N; i++) c[i] = load_native(a);
    for (int i = 0; i < N; i++) {
      check_runs(c[i]);
      assert_true(code_size(c[i]) >= 0xac && code_size(c[i]) % 4096 == 0);
    }
    check_protection(c[0]);
    check_protection(c[N - 1]);
    /* The pages of what was freed are used again, and the neighbours stay as they were. */
    void *entry = code_entry(c[7]);
    code_free(c[7]);
    c[7] = load_native(a);
    assert_ptr_equal(code_entry(c[7]), entry);
    for (int i = 0; i < N; i++) check_runs(c[i]);
    check_protection(c[7]);
    for (int i = 0; i < N; i++) code_free(c[i]);
    code_free(NULL);
    code_arena_free(a);
    assert_int_equal(mem_live(), before);
  }
  pages_refuse_memfd(false);
  code_arena_free(NULL);
}

static void more_than_a_block(void **state) {
  (void)state;
  code_arena *a = code_arena_new(NULL);
  enum { N = 2500 };
  code **c = test_malloc(N * sizeof *c);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < N; i++) c[i] = load_native(a);
    for (int i = 0; i < N; i += 83) check_runs(c[i]);
    for (int i = 0; i < N; i++) code_free(c[(i * 7) % N]);
  }
  test_free(c);
  code_arena_free(a);
}

static void in_child(void (*fn)(code_arena *a, code *c), code_arena *a, code *c) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    fn(a, c);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void replace(code_arena *a, code *c) {
  check_runs(c);
  uint8_t *entry = code_entry(c);
  code_free(c);
  code *d = load_native(a), *other = load_native(a);
  if ((uint8_t *)code_entry(d) == entry) _exit(3);
  check_runs(d);
  check_runs(other);
  code_free(d);
  code_free(other);
}

/* Parent and child share the file: neither may fill pages that the other runs. */
static void fork_leaves_code_alone(void **state) {
  (void)state;
  for (int refused = 0; refused < 2; refused++) {
    pages_refuse_memfd(refused);
    code_arena *a = code_arena_new(NULL);
    code *c = load_native(a), *d = load_native(a);
    if (!refused) in_child(replace, a, c);
    check_runs(c);
    code_free(c);
    c = load_native(a);
    check_runs(c);
    check_runs(d);
    code_free(c);
    code_free(d);
    code_arena_free(a);
  }
  pages_refuse_memfd(false);
}

static void limited_file_size(code_arena *a, code *c) {
  struct rlimit small = {1000, 1000};
  if (setrlimit(RLIMIT_FSIZE, &small) != 0) _exit(2);
  code *d = load_native(a);
  check_runs(d);
  check_runs(c);
}

/* A program that closes all descriptors, and opens others in their place. */
static void closed_descriptors(code_arena *a, code *c) {
  for (int fd = 3; fd < 100; fd++) close(fd);
  FILE *f = tmpfile();
  if (!f) _exit(2);
  for (int i = 0; i < 40 && dup(fileno(f)) >= 0; i++) continue;
  code *d = load_native(a);
  check_runs(d);
  check_runs(c);
  if (fseek(f, 0, SEEK_END) != 0 || ftell(f) != 0) _exit(3);
}

static void hostile_surroundings(void **state) {
  (void)state;
  code_arena *a = code_arena_new(NULL);
  code *c = load_native(a);
  in_child(limited_file_size, a, c);
  in_child(closed_descriptors, a, c);
  code_free(c);
  code_arena_free(a);
}

/* ---- objects that are not as they should be ---- */

typedef struct bad {
  _Alignas(8) uint8_t bytes[sizeof object_x86];
} bad;

static Elf64_Shdr *section_of(bad *b, unsigned type) {
  Elf64_Ehdr *h = (void *)b->bytes;
  Elf64_Shdr *s = (void *)(b->bytes + h->e_shoff);
  for (int i = 0; i < h->e_shnum; i++)
    if (s[i].sh_type == type && s[i].sh_size) return s + i;
  fail_msg("no section of type %u", type);
  return NULL;
}

static Elf64_Sym *global_of(bad *b) {
  Elf64_Shdr *t = section_of(b, SHT_SYMTAB);
  Elf64_Sym *y = (void *)(b->bytes + t->sh_offset);
  while (ELF64_ST_BIND(y->st_info) != STB_GLOBAL) y++;
  return y;
}

static Elf64_Rela *rela_of(bad *b) { return (void *)(b->bytes + section_of(b, SHT_RELA)->sh_offset); }

static void refused(code_arena *a, const bad *b, size_t size, const char *symbol) {
  error e = {0};
  uint8_t *copy = test_malloc(size ? size : 1); /* of the very size, so that the sanitizer sees the end */
  memcpy(copy, b->bytes, size);
  code *c = code_load(a, copy, size, symbol, &e);
  test_free(copy);
  assert_null(c);
  assert_int_equal(e.code, TME_ERR_FORMAT);
}

#define REFUSED(change)                                                                                                \
  do {                                                                                                                 \
    bad b;                                                                                                             \
    memcpy(b.bytes, object_x86, sizeof object_x86);                                                                    \
    Elf64_Ehdr *h = (void *)b.bytes;                                                                                   \
    (void)h;                                                                                                           \
    change;                                                                                                            \
    refused(a, &b, sizeof b.bytes, "k");                                                                               \
  } while (0)

static void bad_objects(void **state) {
  (void)state;
  long before = mem_live();
  code_arena *a = code_arena_new(NULL);
  bad same;
  memcpy(same.bytes, object_x86, sizeof object_x86);
  for (size_t n = 0; n < sizeof object_x86; n++) refused(a, &same, n, "k");
  refused(a, &same, sizeof same.bytes, "horner");
  refused(a, &same, sizeof same.bytes, "");
  refused(a, &same, sizeof same.bytes, "kk");
  REFUSED(h->e_ident[EI_CLASS] = ELFCLASS32);
  REFUSED(h->e_ident[EI_DATA] = ELFDATA2MSB);
  REFUSED(h->e_type = ET_DYN);
  REFUSED(h->e_machine = EM_386);
  REFUSED(h->e_shentsize = 63);
  REFUSED(h->e_shnum = 0);
  REFUSED(h->e_shnum = 0xffff);
  REFUSED(h->e_shoff = UINT64_MAX - 8);
  REFUSED(h->e_shoff = UINT64_MAX / 2);
  REFUSED(section_of(&b, SHT_PROGBITS)->sh_offset = UINT64_MAX - 16);
  REFUSED(section_of(&b, SHT_PROGBITS)->sh_size = UINT64_MAX);
  REFUSED(section_of(&b, SHT_PROGBITS)->sh_addralign = 3 << 4);
  REFUSED(section_of(&b, SHT_PROGBITS)->sh_addralign = (uint64_t)1 << 63);
  REFUSED(section_of(&b, SHT_PROGBITS)->sh_flags |= SHF_WRITE);
  REFUSED(section_of(&b, SHT_PROGBITS)->sh_flags |= SHF_TLS);
  REFUSED(section_of(&b, SHT_PROGBITS)->sh_flags &= ~(uint64_t)SHF_EXECINSTR);
  REFUSED(section_of(&b, SHT_PROGBITS)->sh_flags = 0);
  REFUSED(section_of(&b, SHT_PROGBITS)->sh_type = SHT_INIT_ARRAY);
  REFUSED({
    Elf64_Shdr *s = section_of(&b, SHT_PROGBITS);
    s->sh_type = SHT_NOBITS;
    s->sh_size = (uint64_t)1 << 40;
  });
  REFUSED(section_of(&b, SHT_SYMTAB)->sh_type = SHT_NOTE);
  REFUSED(section_of(&b, SHT_SYMTAB)->sh_entsize = 23);
  REFUSED(section_of(&b, SHT_SYMTAB)->sh_link = 200);
  REFUSED(section_of(&b, SHT_SYMTAB)->sh_link = 2);
  REFUSED(section_of(&b, SHT_SYMTAB)->sh_size = 24);
  REFUSED(section_of(&b, SHT_STRTAB)->sh_size = 1);
  REFUSED(section_of(&b, SHT_STRTAB)->sh_offset += 1);
  REFUSED(global_of(&b)->st_shndx = SHN_UNDEF);
  REFUSED(global_of(&b)->st_shndx = SHN_ABS);
  REFUSED(global_of(&b)->st_shndx = SHN_COMMON);
  REFUSED(global_of(&b)->st_value = 0xac);
  REFUSED(global_of(&b)->st_value = UINT64_MAX);
  REFUSED(global_of(&b)->st_name = UINT32_MAX);
  REFUSED(global_of(&b)->st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT));
  REFUSED(global_of(&b)->st_info = ELF64_ST_INFO(STB_GLOBAL, STT_GNU_IFUNC));
  REFUSED(global_of(&b)->st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC));
  REFUSED(global_of(&b)[-1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC));
  REFUSED(global_of(&b)[-1].st_info = ELF64_ST_INFO(STB_LOCAL, STT_TLS));
  REFUSED(section_of(&b, SHT_RELA)->sh_type = SHT_REL);
  REFUSED(section_of(&b, SHT_RELA)->sh_info = 9);
  REFUSED(section_of(&b, SHT_RELA)->sh_link = 1);
  REFUSED(section_of(&b, SHT_RELA)->sh_entsize = 16);
  REFUSED(rela_of(&b)->r_offset = 0xac);
  REFUSED(rela_of(&b)->r_offset = 0xac - 3);
  REFUSED(rela_of(&b)->r_offset = UINT64_MAX - 3);
  REFUSED(rela_of(&b)->r_addend = INT64_MAX);
  REFUSED(rela_of(&b)->r_addend = (int64_t)1 << 31);
  REFUSED(rela_of(&b)->r_info = ELF64_R_INFO(0, R_X86_64_PC32));
  REFUSED(rela_of(&b)->r_info = ELF64_R_INFO(1, R_X86_64_PC32)); /* the file's name */
  REFUSED(rela_of(&b)->r_info = ELF64_R_INFO(1000, R_X86_64_PC32));
  REFUSED(rela_of(&b)->r_info = ELF64_R_INFO(2, R_X86_64_GOTPCREL));
  REFUSED(rela_of(&b)->r_info = ELF64_R_INFO(2, R_X86_64_32S));
  code_arena_free(a);
  assert_int_equal(mem_live(), before);
}

static uint64_t random_state = 20240501;
static uint32_t rnd(uint32_t below) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33) % below;
}

static void mutate(uint8_t *b, size_t n) {
  static const uint8_t odd[] = {0, 1, 2, 4, 8, 0x7f, 0x80, 0xfe, 0xff};
  for (uint32_t k = rnd(6) + 1; k; k--) {
    uint32_t at = rnd((uint32_t)n), run = rnd(4) ? 1 : rnd(8) + 1;
    for (; run && at < n; run--, at++)
      b[at] = (uint8_t)(rnd(2) ? odd[rnd(sizeof odd)] : rnd(2) ? b[at] ^ (1u << rnd(8)) : rnd(256));
  }
}

static void fuzz(void **state) {
  (void)state;
  long before = mem_live();
  const uint8_t *objects[] = {object_x86, object_arm};
  const size_t sizes[] = {sizeof object_x86, sizeof object_arm};
  code_arena *a = code_arena_new(NULL);
  int loaded = 0;
  for (int i = 0; i < 20000; i++) {
    size_t n = sizes[i & 1];
    if (rnd(8) == 0) n = rnd((uint32_t)n) + 1;
    uint8_t *b = test_malloc(n);
    memcpy(b, objects[i & 1], n);
    mutate(b, n);
    error e = {0};
    code *c = code_load(a, b, n, "k", &e);
    assert_true((c == NULL) == (e.code != TME_OK));
    loaded += c != NULL;
    code_free(c);
    test_free(b);
  }
  assert_true(loaded > 1000 && loaded < 19000); /* both ways were taken */
  code_arena_free(a);
  assert_int_equal(mem_live(), before);
}

/* ---- relocations ---- */

static uint8_t patch[16];

static bool apply(unsigned machine, unsigned kind, uint64_t base, uint64_t target, uint32_t before) {
  memset(patch, 0, sizeof patch);
  memcpy(patch, &before, 4);
  return elf_relocate(machine, kind, patch, 0, 8, base, target);
}

static uint64_t patched(int n) {
  uint64_t v = 0;
  memcpy(&v, patch, (size_t)n);
  return v;
}

static void relocations_x86(void **state) {
  (void)state;
  const uint64_t p = 0x7f0000001000, s = 0x7f0000003004;
  assert_true(apply(EM_X86_64, R_X86_64_PC32, p, s, 0));
  assert_int_equal(patched(8), 0x2004);
  assert_true(apply(EM_X86_64, R_X86_64_PLT32, s, p, 0));
  assert_int_equal(patched(4), (uint32_t)-0x2004);
  assert_true(apply(EM_X86_64, R_X86_64_64, p, s, 0));
  assert_int_equal(patched(8), s);
  assert_true(apply(EM_X86_64, R_X86_64_PC64, s, p, 0));
  assert_int_equal(patched(8), (uint64_t)-0x2004);
  assert_true(apply(EM_X86_64, R_X86_64_PC32, p, p + INT32_MAX, 0));
  assert_false(apply(EM_X86_64, R_X86_64_PC32, p, p + INT32_MAX + 1, 0));
  assert_true(apply(EM_X86_64, R_X86_64_PC32, p, p - ((uint64_t)1 << 31), 0));
  assert_false(apply(EM_X86_64, R_X86_64_PC32, p, p - ((uint64_t)1 << 31) - 1, 0));
  assert_false(apply(EM_X86_64, R_X86_64_GOTPCRELX, p, s, 0));
  assert_false(elf_relocate(EM_X86_64, R_X86_64_PC32, patch, 0, 3, p, s));
  assert_false(elf_relocate(EM_X86_64, R_X86_64_64, patch, 0, 7, p, s));
}

static void relocations_arm(void **state) {
  (void)state;
  const uint64_t p = 0x400000001000;
  /* adrp x0, two pages ahead: immlo = 2 (bits 29, 30), immhi = 0; one page back: all ones. */
  assert_true(apply(EM_AARCH64, R_AARCH64_ADR_PREL_PG_HI21, p + 8, p + 0x2ff0, 0x90000000));
  assert_int_equal(patched(4), 0xd0000000);
  assert_true(apply(EM_AARCH64, R_AARCH64_ADR_PREL_PG_HI21, p + 8, p - 1, 0x90000000));
  assert_int_equal(patched(4), 0xf0ffffe0);
  assert_false(apply(EM_AARCH64, R_AARCH64_ADR_PREL_PG_HI21, p, p + ((uint64_t)1 << 33), 0x90000000));
  assert_true(apply(EM_AARCH64, R_AARCH64_ADR_PREL_LO21, p, p + 4, 0x10000003)); /* adr x3, +4 */
  assert_int_equal(patched(4), 0x10000023);
  /* add x0, x0, #0x123; ldr d0, [x1, #0x128]; ldr q0, [x1, #0x120] */
  assert_true(apply(EM_AARCH64, R_AARCH64_ADD_ABS_LO12_NC, p, p + 0x7123, 0x91000000));
  assert_int_equal(patched(4), 0x91000000 | 0x123 << 10);
  assert_true(apply(EM_AARCH64, R_AARCH64_LDST64_ABS_LO12_NC, p, p + 0x7128, 0xfd400020));
  assert_int_equal(patched(4), 0xfd400020 | 0x25 << 10);
  assert_true(apply(EM_AARCH64, R_AARCH64_LDST128_ABS_LO12_NC, p, p + 0x7120, 0x3dc00020));
  assert_int_equal(patched(4), 0x3dc00020 | 0x12 << 10);
  assert_true(apply(EM_AARCH64, R_AARCH64_LDST32_ABS_LO12_NC, p, p + 0x7124, 0xbd400020));
  assert_int_equal(patched(4), 0xbd400020 | 0x49 << 10);
  assert_true(apply(EM_AARCH64, R_AARCH64_LDST16_ABS_LO12_NC, p, p + 2, 0));
  assert_true(apply(EM_AARCH64, R_AARCH64_LDST8_ABS_LO12_NC, p, p + 3, 0));
  assert_false(apply(EM_AARCH64, R_AARCH64_LDST128_ABS_LO12_NC, p, p + 0x7128, 0x3dc00020)); /* not aligned */
  assert_true(apply(EM_AARCH64, R_AARCH64_CALL26, p, p - 4, 0x94000000));                    /* bl -4 */
  assert_int_equal(patched(4), 0x97ffffff);
  assert_true(apply(EM_AARCH64, R_AARCH64_JUMP26, p, p + 64, 0x14000000));
  assert_int_equal(patched(4), 0x14000010);
  assert_false(apply(EM_AARCH64, R_AARCH64_CALL26, p, p + 2, 0x94000000));
  assert_false(apply(EM_AARCH64, R_AARCH64_CALL26, p, p + (1 << 27), 0x94000000));
  assert_false(apply(EM_AARCH64, R_AARCH64_CALL26, p + 2, p + 6, 0x94000000));
  assert_true(apply(EM_AARCH64, R_AARCH64_ABS64, p, p + 9, 0));
  assert_int_equal(patched(8), p + 9);
  assert_true(apply(EM_AARCH64, R_AARCH64_PREL64, p, p - 9, 0));
  assert_int_equal(patched(8), (uint64_t)-9);
  assert_true(apply(EM_AARCH64, R_AARCH64_PREL32, p, p + 9, 0));
  assert_int_equal(patched(4), 9);
  assert_false(apply(EM_AARCH64, R_AARCH64_LD64_GOT_LO12_NC, p, p, 0));
}

/* Both machines' objects load on any host. */
static void other_machine(void **state) {
  (void)state;
  code_arena *a = code_arena_new(NULL);
  code *x = code_load(a, object_x86, sizeof object_x86, "k", NULL);
  code *y = code_load(a, object_arm, sizeof object_arm, "k", NULL);
  assert_non_null(x);
  assert_non_null(y);
  code_free(x);
  code_free(y);
  code_arena_free(a);
}

static void failing_allocations(void **state) {
  (void)state;
  for (int refused = 0; refused < 2; refused++) {
    pages_refuse_memfd(refused);
    long before = mem_live();
    bool done = false;
    for (long k = 1; !done; k++) {
      error e = {0};
      mem_fail_at(k, false);
      code_arena *a = code_arena_new(&e);
      code *c = a ? code_load(a, object_native, sizeof object_native, "k", &e) : NULL;
      mem_fail_at(0, false);
      if (c) {
        check_runs(c);
        done = true;
      } else {
        assert_int_equal(e.code, TME_ERR_MEMORY);
        if (a) {
          c = load_native(a); /* a failure spoils nothing */
          check_runs(c);
        }
      }
      code_free(c);
      code_arena_free(a);
      assert_int_equal(mem_live(), before);
    }
  }
  pages_refuse_memfd(false);
}

static void *load_and_free(void *arena) {
  for (int i = 0; i < 100; i++) {
    code *c = code_load(arena, object_native, sizeof object_native, "k", NULL);
    if (!c) return arena;
    code_free(c);
  }
  return NULL;
}

static void several_threads(void **state) {
  (void)state;
  code_arena *a = code_arena_new(NULL);
  pthread_t ids[4];
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&ids[i], NULL, load_and_free, a), 0);
  for (int i = 0; i < 4; i++) {
    void *wrong;
    pthread_join(ids[i], &wrong);
    assert_null(wrong);
  }
  code_arena_free(a);
}

static void perf_map(void **state) {
  (void)state;
  code_arena *a = code_arena_new(NULL);
  code *c = load_native(a);
  char path[64], content[256] = "", expected[256];
  snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
  unlink(path);
  assert_int_equal(symlink("/tmp/tme-test-nowhere", path), 0);
  error e = {0};
  assert_int_equal(code_perf_map(c, "add", &e), TME_ERR_IO); /* somebody's trap */
  assert_non_null(strstr(e.text, path));
  assert_int_equal(unlink(path), 0);
  assert_int_equal(code_perf_map(c, "add\nmul", NULL), TME_OK);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  size_t n = fread(content, 1, sizeof content - 1, f);
  fclose(f);
  unlink(path);
  content[n] = 0;
  snprintf(expected, sizeof expected, "%lx %zx add_mul\n", (unsigned long)(uintptr_t)code_entry(c), code_size(c));
  assert_string_equal(content, expected);
  code_free(c);
  code_arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads_and_runs),
      cmocka_unit_test(more_than_a_block),
      cmocka_unit_test(fork_leaves_code_alone),
      cmocka_unit_test(hostile_surroundings),
      cmocka_unit_test(bad_objects),
      cmocka_unit_test(fuzz),
      cmocka_unit_test(relocations_x86),
      cmocka_unit_test(relocations_arm),
      cmocka_unit_test(other_machine),
      cmocka_unit_test(failing_allocations),
      cmocka_unit_test(several_threads),
      cmocka_unit_test(perf_map),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
