/* .npy: a magic number, a header that is a literal of Python, and the elements. */
#include "io/formats.h"
#include <stdio.h>
#include <string.h>

/* ---- dtypes ------------------------------------------------------------------------------------------------------ */

static const char *what_kind(char kind) {
  switch (kind) {
  case 'O': return ": Python objects";
  case 'V':
    return ": raw bytes (bfloat16 and float8 lose their type in .npy files: save them as .safetensors, or cast them)";
  case 'S':
  case 'a': return ": byte strings";
  case 'U': return ": text";
  case 'M':
  case 'm': return ": dates and times";
  default: return "";
  }
}

static tme_status parse_dtype(const io_place *at, const char *descr, tme_dtype *dtype, bool *swap) {
  const char *code = descr;
  *swap = *code == '>';
  if (*code == '<' || *code == '>' || *code == '|' || *code == '=') code++;
  if (strcmp(code, "?") == 0) code = "b1";
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    const dtype_info *d = dtype_get((tme_dtype)i);
    if (d->npy[0] && (strcmp(code, d->npy) == 0 || strcmp(code, d->name) == 0)) {
      *dtype = (tme_dtype)i;
      return TME_OK;
    }
  }
  const char *kind = strcmp(code, "bfloat16") == 0 || strncmp(code, "float8_", 7) == 0 ? "V" : code;
  return io_fail(at, TME_ERR_DTYPE, "dtype '%.60s' is not supported%s; expected b1, i1-i8, u1-u8, f2-f8, c8 or c16",
                 descr, what_kind(*kind));
}

/* ---- the header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } ------------------------------------- */

typedef struct scanner {
  const uint8_t *p, *end;
  const io_place *at;
} scanner;

static tme_status bad_header(const scanner *s, const char *expected) {
  size_t left = (size_t)(s->end - s->p);
  int show = left < 30 ? (int)left : 30;
  return io_fail(s->at, TME_ERR_FORMAT, "bad .npy header: expected %s, found '%.*s'", expected, show,
                 (const char *)s->p);
}

static void skip_space(scanner *s) {
  while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) s->p++;
}

static bool take(scanner *s, const char *word) {
  skip_space(s);
  size_t n = strlen(word);
  if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) return false;
  s->p += n;
  return true;
}

static tme_status take_string(scanner *s, char *out, size_t cap) {
  skip_space(s);
  if (s->p == s->end || (*s->p != '\'' && *s->p != '"')) return bad_header(s, "a string");
  uint8_t quote = *s->p;
  const uint8_t *end = memchr(s->p + 1, quote, (size_t)(s->end - s->p - 1));
  if (!end) return bad_header(s, "the end of a string");
  size_t n = (size_t)(end - s->p - 1);
  if (n >= cap || memchr(s->p + 1, '\\', n) || memchr(s->p + 1, 0, n)) return bad_header(s, "a short, plain string");
  memcpy(out, s->p + 1, n);
  out[n] = 0;
  s->p = end + 1;
  return TME_OK;
}

static tme_status take_dimension(scanner *s, int64_t *out) {
  skip_space(s);
  if (s->p == s->end || *s->p < '0' || *s->p > '9') return bad_header(s, "a dimension");
  int64_t v = 0;
  for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) {
    if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s->p - '0', &v)) {
      return io_fail(s->at, TME_ERR_FORMAT, "bad .npy header: a dimension that does not fit in 64 bits");
    }
  }
  if (s->p < s->end && *s->p == 'L') s->p++; /* Python 2's long */
  *out = v;
  return TME_OK;
}

static tme_status take_shape(scanner *s, io_array *a) {
  if (!take(s, "(")) return bad_header(s, "a tuple");
  bool comma = true;
  while (!take(s, ")")) {
    if (!comma) return bad_header(s, "',' or ')'");
    if (a->rank == TME_MAX_RANK) {
      return io_fail(s->at, TME_ERR_UNSUPPORTED, "more than %d dimensions", TME_MAX_RANK);
    }
    tme_status st = take_dimension(s, &a->shape[a->rank]);
    if (st != TME_OK) return st;
    a->rank++;
    comma = take(s, ",");
  }
  if (a->rank == 1 && !comma) return bad_header(s, "a tuple: '(n,)'"); /* (3) is a number */
  return TME_OK;
}

static tme_status take_descr(scanner *s, io_array *a, bool *swap) {
  skip_space(s);
  if (s->p < s->end && (*s->p == '[' || *s->p == '(' || *s->p == '{')) {
    const uint8_t *end = memchr(s->p, ']', (size_t)(s->end - s->p));
    int show = end && end - s->p < 100 ? (int)(end - s->p) + 1 : s->end - s->p < 60 ? (int)(s->end - s->p) : 60;
    return io_fail(s->at, TME_ERR_DTYPE, "structured dtype %.*s is not supported, expected one such as '<f4'", show,
                   (const char *)s->p);
  }
  char descr[64];
  tme_status st = take_string(s, descr, sizeof descr);
  return st == TME_OK ? parse_dtype(s->at, descr, &a->dtype, swap) : st;
}

static tme_status take_fortran(scanner *s, bool *fortran) {
  *fortran = take(s, "True");
  return *fortran || take(s, "False") ? TME_OK : bad_header(s, "True or False");
}

static tme_status parse_header(scanner *s, io_array *a, bool *fortran, bool *swap) {
  static const char *const keys[] = {"descr", "fortran_order", "shape"};
  if (!take(s, "{")) return bad_header(s, "'{'");
  unsigned seen = 0;
  bool comma = true;
  while (!take(s, "}")) {
    if (!comma) return bad_header(s, "',' or '}'");
    char key[32];
    tme_status st = take_string(s, key, sizeof key);
    if (st != TME_OK) return st;
    int k = 0;
    while (k < COUNT(keys) && strcmp(key, keys[k]) != 0) k++;
    if (k == COUNT(keys) || seen & (1u << k)) {
      return io_fail(s->at, TME_ERR_FORMAT, "bad .npy header: key '%s' %s", key,
                     k == COUNT(keys) ? "unknown" : "twice");
    }
    seen |= 1u << k;
    if (!take(s, ":")) return bad_header(s, "':'");
    st = k == 0 ? take_descr(s, a, swap) : k == 1 ? take_fortran(s, fortran) : take_shape(s, a);
    if (st != TME_OK) return st;
    comma = take(s, ",");
  }
  skip_space(s);
  if (s->p != s->end) return bad_header(s, "nothing more");
  for (int k = 0; k < COUNT(keys); k++) {
    if (!(seen & (1u << k))) return io_fail(s->at, TME_ERR_FORMAT, "bad .npy header: key '%s' is missing", keys[k]);
  }
  return TME_OK;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

bool npy_is(const uint8_t *p, size_t n) { return n >= sizeof magic && memcmp(p, magic, sizeof magic) == 0; }

tme_status npy_head(const io_place *at, const uint8_t *p, uint64_t size, size_t *head) {
  enum { LONGEST = 1 << 16 }; /* what is supported takes some hundred bytes */
  if (size < 10 || !npy_is(p, 10)) {
    return io_fail(at, TME_ERR_FORMAT, "not a .npy file: expected it to begin with \\x93NUMPY and a version");
  }
  int major = p[6], minor = p[7];
  if (major < 1 || major > 3 || minor != 0) {
    return io_fail(at, TME_ERR_UNSUPPORTED, ".npy version %d.%d, expected 1.0, 2.0 or 3.0", major, minor);
  }
  size_t before = major == 1 ? 10 : 12, len = p[8] | (size_t)p[9] << 8;
  if (size < before) return io_fail(at, TME_ERR_FORMAT, "truncated .npy header");
  if (major > 1) len |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
  if (len > size - before) {
    return io_fail(at, TME_ERR_FORMAT, "truncated .npy header: expected %zu bytes, found %llu", len,
                   (unsigned long long)(size - before));
  }
  if (len > LONGEST) {
    return io_fail(at, TME_ERR_FORMAT, "a .npy header of %zu bytes, expected at most %d", len, LONGEST);
  }
  *head = before + len;
  return TME_OK;
}

tme_status npy_parse(const io_place *at, const uint8_t *p, size_t head, uint64_t size, io_array *a, npy_layout *out) {
  scanner s = {p + (p[6] == 1 ? 10 : 12), p + head, at};
  bool fortran = false;
  *out = (npy_layout){.head = head};
  tme_status st = parse_header(&s, a, &fortran, &out->swap);
  if (st == TME_OK) st = io_layout(at, a, fortran, &out->bytes);
  if (st != TME_OK || out->bytes <= size - head) return st;
  return io_fail(at, TME_ERR_FORMAT, "truncated: expected %zu bytes of data, found %llu", out->bytes,
                 (unsigned long long)(size - head));
}

tme_status npy_read(const io_place *at, io_bytes *b, io_list *out) {
  io_array *a = io_list_add(out, "", 0);
  if (!a) return io_fail_memory(at, sizeof *a);
  npy_layout l;
  size_t head = 0;
  tme_status s = npy_head(at, b->data, b->size, &head);
  if (s == TME_OK) s = npy_parse(at, b->data, head, b->size, a, &l);
  return s == TME_OK ? io_attach(at, a, b, l.head, l.bytes, l.swap) : s;
}

tme_status npy_header(const io_place *at, const io_source *a, char out[NPY_HEADER_MAX], size_t *size) {
  const char *code = dtype_get(a->dtype)->npy;
  if (!code[0]) {
    return io_fail(at, TME_ERR_DTYPE, "NumPy's files have no %s: save as .safetensors, or cast the array first",
                   tme_dtype_name(a->dtype));
  }
  char shape[TME_MAX_RANK * 22 + 1] = "";
  size_t n = 0;
  for (int i = 0; i < a->rank; i++) {
    const char *after = a->rank == 1 ? "," : i + 1 < a->rank ? ", " : "";
    n += (size_t)snprintf(shape + n, sizeof shape - n, "%lld%s", (long long)a->shape[i], after);
  }
  /* Eight dimensions of 19 digits leave room in NPY_HEADER_MAX. */
  int len = snprintf(out + 10, NPY_HEADER_MAX - 10, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
                     tme_dtype_size(a->dtype) == 1 ? '|' : '<', code, shape);
  size_t all = (10 + (size_t)len + 1 + 63) / 64 * 64;
  memset(out + 10 + len, ' ', all - 10 - (size_t)len);
  out[all - 1] = '\n';
  memcpy(out, magic, sizeof magic);
  out[6] = 1;
  out[7] = 0;
  out[8] = (char)((all - 10) & 0xff);
  out[9] = (char)((all - 10) >> 8);
  *size = all;
  return TME_OK;
}

tme_status npy_write(const io_place *at, io_sink *s, const io_source *a) {
  char header[NPY_HEADER_MAX];
  size_t n;
  tme_status st = npy_header(at, a, header, &n);
  if (st != TME_OK) return st;
  if (!io_put(s, header, n) || !io_put(s, a->data, io_source_bytes(a))) {
    return io_fail_errno(at, "cannot write", s->errnum);
  }
  return TME_OK;
}
