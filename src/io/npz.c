/* .npz: a zip archive of .npy files. Stored members are used where they lie, deflated ones are inflated. */
#include "io/formats.h"
#include "base/grow.h"
#include "io/zip.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_UTF8 = 1 << 11, NAME_LIMIT = 65535 - 4 /* ".npy" */ };
/* Unix and zip 4.5: some programs take other systems' names as something else than UTF-8. */
enum { MADE_BY = 3 << 8 | 45 };

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* What lies behind the array in its member is read as well, for the sum, where it is no more than this. */
enum { MOST_BEHIND = 1 << 20 };
static bool checked(const npy_layout *l, uint64_t size) { return size - l->head - l->bytes <= MOST_BEHIND; }

static tme_status read_stored(const io_place *at, const zip_directory *d, const zip_member *m, size_t start,
                              io_bytes *b, io_array *a) {
  if (m->size != m->compressed) return io_fail(at, TME_ERR_FORMAT, "damaged archive: a stored member of two sizes");
  npy_layout l;
  size_t head = 0;
  tme_status s = npy_head(at, b->data + start, m->size, &head);
  if (s == TME_OK) s = npy_parse(at, b->data + start, head, m->size, a, &l);
  if (s == TME_OK && checked(&l, m->size)) s = zip_check_stored(at, d, m, start);
  return s == TME_OK ? io_attach(at, a, b, start + l.head, l.bytes, l.swap) : s;
}

/* The header first, and then no more than its array needs. */
static tme_status inflate_member(const io_place *at, zip_stream *z, const zip_member *m, io_array *a) {
  uint8_t first[NPY_START] = {0}, *header = NULL;
  size_t n = m->size < NPY_START ? (size_t)m->size : NPY_START, head = 0;
  npy_layout l = {0};
  tme_status s = zip_take(at, z, first, n);
  if (s == TME_OK) s = npy_head(at, first, m->size, &head);
  if (s != TME_OK) return s;
  header = mem_alloc(head < n ? n : head);
  if (!header) return io_fail_memory(at, head);
  memcpy(header, first, n);
  if (head > n) s = zip_take(at, z, header + n, head - n);
  if (s == TME_OK) s = npy_parse(at, header, head, m->size, a, &l);
  io_bytes *b = s == TME_OK ? io_bytes_new(l.bytes) : NULL;
  if (s == TME_OK && !b) s = io_fail_memory(at, l.bytes);
  size_t early = n > head ? n - head : 0; /* elements that came with the first bytes */
  if (early > l.bytes) early = l.bytes;
  if (s == TME_OK && early) memcpy(b->data, header + head, early);
  if (s == TME_OK) s = zip_take(at, z, b->data + early, l.bytes - early);
  if (s == TME_OK && checked(&l, m->size)) s = zip_finish(at, z, m);
  if (s == TME_OK) s = io_attach(at, a, b, 0, l.bytes, l.swap);
  io_bytes_release(b);
  mem_free(header);
  return s;
}

static tme_status open_member(const io_place *at, const zip_directory *d, const zip_member *m, size_t *start) {
  if (m->flags & ZIP_ENCRYPTED) return io_fail(at, TME_ERR_UNSUPPORTED, "encrypted members cannot be read");
  if (m->method != ZIP_STORED && m->method != ZIP_DEFLATED) {
    return io_fail(at, TME_ERR_UNSUPPORTED, "compression method %u, expected stored (0) or deflated (8)", m->method);
  }
  return zip_locate(at, d, m, start);
}

static tme_status read_member(const io_place *at, const zip_directory *d, const zip_member *m, io_bytes *b,
                              io_array *a) {
  size_t start;
  tme_status s = open_member(at, d, m, &start);
  if (s != TME_OK) return s;
  if (m->method == ZIP_STORED) return read_stored(at, d, m, start, b, a);
  zip_stream z;
  s = zip_begin(at, d, m, start, &z);
  if (s == TME_OK) s = inflate_member(at, &z, m, a);
  zip_end(&z);
  return s;
}

/* Whether a member begins as a .npy does. What cannot be read does not. */
static bool begins_as_npy(const zip_directory *d, const zip_member *m) {
  enum { MAGIC = 6 };
  const io_place nowhere = {"load", "", NULL, NULL};
  size_t start;
  if (m->size < MAGIC || open_member(&nowhere, d, m, &start) != TME_OK) return false;
  if (m->method == ZIP_STORED) return m->size == m->compressed && npy_is(d->bytes->data + start, MAGIC);
  zip_stream z;
  uint8_t first[MAGIC];
  bool is = zip_begin(&nowhere, d, m, start, &z) == TME_OK && zip_take(&nowhere, &z, first, MAGIC) == TME_OK &&
            npy_is(first, MAGIC);
  zip_end(&z);
  return is;
}

/* A member and the name that its array has: without ".npy". */
typedef struct candidate {
  const char *name;
  size_t len;
  size_t place; /* of its entry in the directory */
  bool npy;     /* it is called so */
} candidate;

/* By its name alone; false if that cannot be an array's. */
static bool take_candidate(const zip_member *m, size_t place, candidate *c) {
  *c = (candidate){m->name, m->name_len, place, false};
  c->npy = c->len >= 4 && memcmp(c->name + c->len - 4, ".npy", 4) == 0;
  if (c->npy) c->len -= 4;
  return !memchr(c->name, 0, c->len);
}

/* Of equal names the last is the one that counts: one called .npy, or else the last in the directory. */
static int by_name(const void *l, const void *r) {
  const candidate *a = l, *b = r;
  size_t n = a->len < b->len ? a->len : b->len;
  int order = n ? memcmp(a->name, b->name, n) : 0;
  if (order) return order;
  if (a->len != b->len) return a->len < b->len ? -1 : 1;
  if (a->npy != b->npy) return a->npy ? 1 : -1;
  return a->place < b->place ? -1 : a->place > b->place;
}

static int by_place(const void *l, const void *r) {
  const candidate *a = l, *b = r;
  return a->place < b->place ? -1 : a->place > b->place;
}

static bool same_name(const candidate *a, const char *name, size_t len) {
  return a->len == len && (len == 0 || memcmp(a->name, name, len) == 0);
}

typedef struct candidates {
  candidate *c;
  size_t n;
  int cap;
} candidates;

static bool add_candidate(candidates *l, const candidate *c) {
  if (l->n >= INT_MAX || !grow(&l->c, &l->cap, (int)l->n + 1, sizeof *l->c)) return false;
  l->c[l->n++] = *c;
  return true;
}

static void keep_last(candidates *l) {
  size_t kept = 0;
  if (!l->n) return;
  qsort(l->c, l->n, sizeof *l->c, by_name);
  for (size_t i = 0; i < l->n; i++)
    if (i + 1 == l->n || !same_name(&l->c[i], l->c[i + 1].name, l->c[i + 1].len)) l->c[kept++] = l->c[i];
  l->n = kept;
  qsort(l->c, l->n, sizeof *l->c, by_place);
}

/* The members that hold arrays: each name once, in the order of the directory. */
static tme_status find_members(const io_place *at, const zip_directory *whole, const char *only, candidates *l) {
  zip_directory d = *whole;
  zip_member m;
  bool more = true;
  while (more) {
    candidate c;
    size_t place = d.next;
    tme_status s = zip_next(at, &d, &m, &more);
    if (s != TME_OK) return s;
    if (!more || !take_candidate(&m, place, &c) || (only && !same_name(&c, only, strlen(only)))) continue;
    if ((c.npy || begins_as_npy(whole, &m)) && !add_candidate(l, &c))
      return io_fail_memory(at, (size_t)l->cap * sizeof c);
  }
  keep_last(l);
  return TME_OK;
}

static tme_status read_members(const io_place *at, const zip_directory *whole, io_bytes *b, const candidates *l,
                               bool data, io_list *out) {
  uint64_t used = 0;
  for (size_t i = 0; i < l->n; i++) {
    if (!data && out->n == IO_NAMES) {
      out->more = l->n - i < INT_MAX / 2 ? (int)(l->n - i) : INT_MAX / 2;
      return TME_OK;
    }
    io_array *a = io_list_add(out, l->c[i].name, l->c[i].len);
    if (!a) return io_fail_memory(at, l->c[i].len);
    if (!data) continue;
    const io_place member = {at->verb, at->path, a->name, at->e};
    zip_directory d = *whole;
    zip_member m;
    bool more;
    d.next = l->c[i].place;
    tme_status s = zip_next(&member, &d, &m, &more);
    if (s != TME_OK) return s;
    /* Members that overlap would inflate the same bytes again and again. */
    if (m.compressed > b->size - used) return io_fail(&member, TME_ERR_FORMAT, "damaged archive: its members overlap");
    used += m.compressed;
    s = read_member(&member, whole, &m, b, a);
    if (s != TME_OK) return s;
  }
  return TME_OK;
}

tme_status npz_read(const io_place *at, io_bytes *b, const char *only, bool one, io_list *out) {
  zip_directory d;
  candidates l = {0};
  tme_status s = zip_open(at, b, &d);
  if (s == TME_OK) s = find_members(at, &d, only, &l);
  if (s == TME_OK) s = read_members(at, &d, b, &l, !one || l.n == 1, out);
  mem_free(l.c);
  return s;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void put_le(text *t, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) text_bytes(t, &(char){(char)(v >> (8 * i) & 0xff)}, 1);
}

/* What the header in front of a member and its entry of the directory have in common. */
static void put_common(text *t, uint32_t crc, uint64_t size, bool zip64, size_t name, size_t extra) {
  put_le(t, zip64 ? 45 : 20, 2); /* the version that is needed to read it */
  put_le(t, FLAG_UTF8, 2);
  put_le(t, ZIP_STORED, 2);
  put_le(t, 0, 2);
  put_le(t, 1 << 5 | 1, 2); /* always 1980-01-01, so that equal arrays make equal files */
  put_le(t, crc, 4);
  put_le(t, zip64 ? UINT32_MAX : size, 4);
  put_le(t, zip64 ? UINT32_MAX : size, 4);
  put_le(t, name, 2);
  put_le(t, extra, 2);
}

static void put_name(text *t, const char *name) { text_add(t, "%s.npy", name); }

/* The header in front of a member. A last field fills up, so that the data begins at a multiple of 64 bytes. */
static void put_local(text *t, const char *name, uint64_t at, uint32_t crc, uint64_t size) {
  bool zip64 = size >= UINT32_MAX;
  size_t len = strlen(name) + 4, extra = (zip64 ? 20 : 0) + 4, fill = (size_t)(64 - (at + 30 + len + extra) % 64) % 64;
  put_le(t, 0x04034b50, 4);
  put_common(t, crc, size, zip64, len, extra + fill);
  put_name(t, name);
  if (zip64) {
    put_le(t, 1, 2);
    put_le(t, 16, 2);
    put_le(t, size, 8);
    put_le(t, size, 8);
  }
  put_le(t, 0xd935, 2); /* the field with which Android's zipalign fills up */
  put_le(t, fill, 2);
  while (fill--) put_le(t, 0, 1);
}

static void put_entry(text *t, const char *name, uint64_t at, uint32_t crc, uint64_t size) {
  bool zip64 = size >= UINT32_MAX || at >= UINT32_MAX;
  put_le(t, 0x02014b50, 4);
  put_le(t, MADE_BY, 2);
  put_common(t, crc, size, zip64, strlen(name) + 4, zip64 ? 28 : 0);
  put_le(t, 0, 2 + 2 + 2);               /* no comment, first disk, no internal attributes */
  put_le(t, (uint64_t)0100644 << 16, 4); /* a regular file, readable */
  put_le(t, zip64 ? UINT32_MAX : at, 4);
  put_name(t, name);
  if (zip64) {
    put_le(t, 1, 2);
    put_le(t, 24, 2);
    put_le(t, size, 8);
    put_le(t, size, 8);
    put_le(t, at, 8);
  }
}

static void put_end(text *t, uint64_t at, uint64_t n) {
  uint64_t size = t->len;
  bool zip64 = n >= UINT16_MAX || at >= UINT32_MAX || size >= UINT32_MAX;
  if (zip64) {
    put_le(t, 0x06064b50, 4);
    put_le(t, 44, 8);
    put_le(t, MADE_BY, 2);
    put_le(t, 45, 2);
    put_le(t, 0, 8);
    put_le(t, n, 8);
    put_le(t, n, 8);
    put_le(t, size, 8);
    put_le(t, at, 8);
    put_le(t, 0x07064b50, 4);
    put_le(t, 0, 4);
    put_le(t, at + size, 8);
    put_le(t, 1, 4);
  }
  put_le(t, 0x06054b50, 4);
  put_le(t, 0, 4);
  put_le(t, zip64 ? UINT16_MAX : n, 2);
  put_le(t, zip64 ? UINT16_MAX : n, 2);
  put_le(t, zip64 ? UINT32_MAX : size, 4);
  put_le(t, zip64 ? UINT32_MAX : at, 4);
  put_le(t, 0, 2);
}

static tme_status write_member(const io_place *at, io_sink *s, const io_source *a, text *directory) {
  size_t name = strlen(a->name), head, bytes = io_source_bytes(a);
  if (name > NAME_LIMIT) {
    return io_fail(at, TME_ERR_ARGUMENT, "a name of %zu bytes, a zip archive takes %d", name, NAME_LIMIT);
  }
  char header[NPY_HEADER_MAX];
  tme_status st = npy_header(at, a, header, &head);
  if (st != TME_OK) return st;
  uint64_t size = (uint64_t)head + bytes, pos = s->size;
  uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)header, head);
  if (bytes) crc = (uint32_t)crc32_z(crc, a->data, bytes);
  text local = {0};
  put_local(&local, a->name, pos, crc, size);
  put_entry(directory, a->name, pos, crc, size);
  if (local.failed || directory->failed) {
    st = io_fail_memory(at, local.failed ? local.cap : directory->cap);
  } else if (!io_put(s, local.s, local.len) || !io_put(s, header, head) || !io_put(s, a->data, bytes)) {
    st = io_fail_errno(at, "cannot write", s->errnum);
  }
  text_free(&local);
  return st;
}

tme_status npz_write(const io_place *at, io_sink *s, const io_source *a, int n) {
  text directory = {0};
  tme_status st = TME_OK;
  for (int i = 0; i < n && st == TME_OK; i++) {
    io_place one = {at->verb, at->path, a[i].name, at->e};
    st = write_member(&one, s, &a[i], &directory);
  }
  if (st == TME_OK) {
    put_end(&directory, s->size, (uint64_t)n);
    if (directory.failed) {
      st = io_fail_memory(at, directory.cap);
    } else if (!io_put(s, directory.s, directory.len)) {
      st = io_fail_errno(at, "cannot write", s->errnum);
    }
  }
  text_free(&directory);
  return st;
}
