/* .npz: a zip archive of .npy files. Stored members are used where they lie, deflated ones are inflated. */
#include "io/formats.h"
#include "io/zip.h"
#include <string.h>
#include <zlib.h>

enum { FLAG_UTF8 = 1 << 11, NAME_LIMIT = 65535 - 4 /* ".npy" */ };
/* Unix and zip 4.5: some programs take other systems' names as something else than UTF-8. */
enum { MADE_BY = 3 << 8 | 45 };

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static tme_status read_member(const io_place *at, const zip_directory *d, const zip_member *m, io_bytes *b,
                              uint64_t *used, io_array *a) {
  if (m->flags & ZIP_ENCRYPTED) return io_fail(at, TME_ERR_UNSUPPORTED, "encrypted members cannot be read");
  if (m->method != ZIP_STORED && m->method != ZIP_DEFLATED) {
    return io_fail(at, TME_ERR_UNSUPPORTED, "compression method %u, expected stored (0) or deflated (8)", m->method);
  }
  size_t start;
  tme_status s = zip_locate(at, d, m, &start);
  if (s != TME_OK) return s;
  /* Members that overlap would inflate the same bytes again and again. */
  *used += m->compressed;
  if (*used > b->size) return io_fail(at, TME_ERR_FORMAT, "damaged archive: its members overlap");
  if (m->method == ZIP_STORED) {
    /* Its sum stays unchecked: that would read all of a mapped file. */
    return m->size == m->compressed ? npy_read_part(at, b, start, (size_t)m->size, a)
                                    : io_fail(at, TME_ERR_FORMAT, "damaged archive: a stored member of two sizes");
  }
  io_bytes *inflated = NULL;
  s = zip_inflate(at, d, m, start, &inflated);
  if (s == TME_OK) s = npy_read_part(at, inflated, 0, inflated->size, a);
  io_bytes_release(inflated);
  return s;
}

/* Members that are not .npy files are passed over, as NumPy does. */
static bool wanted(const zip_member *m, const char *only) {
  if (m->name_len < 4 || memcmp(m->name + m->name_len - 4, ".npy", 4) != 0) return false;
  size_t n = m->name_len - 4;
  if (memchr(m->name, 0, n)) return false;
  return !only || (strlen(only) == n && memcmp(only, m->name, n) == 0);
}

tme_status npz_read(const io_place *at, io_bytes *b, const char *only, io_list *out) {
  zip_directory d;
  zip_member m;
  bool more = false;
  uint64_t used = 0;
  tme_status s = zip_open(at, b, &d);
  if (s == TME_OK) s = zip_next(at, &d, &m, &more);
  while (s == TME_OK && more && !(only && out->n)) {
    if (wanted(&m, only)) {
      io_array *a = io_list_add(out, m.name, m.name_len - 4);
      if (!a) return io_fail_memory(at, m.name_len);
      io_place member = {at->verb, at->path, a->name, at->e};
      s = read_member(&member, &d, &m, b, &used, a);
    }
    if (s == TME_OK) s = zip_next(at, &d, &m, &more);
  }
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
