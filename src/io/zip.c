/* The directory of a zip archive (PKWARE's APPNOTE 6.3, 4.3 and 4.5.3), and inflating its members. */
#include "io/zip.h"
#include <limits.h>
#include <string.h>

enum { END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56, ENTRY_SIZE = 46, LOCAL_SIZE = 30, COMMENT_MAX = 65535 };
/* The most that deflate makes of one byte. */
enum { DEFLATE_LIMIT = 1032 };

static uint32_t get16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t get32(const uint8_t *p) { return get16(p) | get16(p + 2) << 16; }
static uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }

static bool is_record(const uint8_t *p, char kind, char more) {
  return p[0] == 'P' && p[1] == 'K' && p[2] == kind && p[3] == more;
}

/* The end record has a comment behind it. */
static bool find_end(const io_bytes *b, size_t *end) {
  if (b->size < END_SIZE) return false;
  size_t last = b->size - END_SIZE, first = last > COMMENT_MAX ? last - COMMENT_MAX : 0;
  for (size_t i = last + 1; i-- > first;) {
    if (is_record(b->data + i, 5, 6) && get16(b->data + i + 20) <= last - i) {
      *end = i;
      return true;
    }
  }
  return false;
}

tme_status zip_open(const io_place *at, const io_bytes *b, zip_directory *d) {
  size_t end;
  if (!find_end(b, &end)) {
    return io_fail(at, TME_ERR_FORMAT, "not a zip archive, or a truncated one: no directory at its end");
  }
  uint64_t size = get32(b->data + end + 12), offset = get32(b->data + end + 16);
  if (end >= LOCATOR_SIZE + END64_SIZE && is_record(b->data + end - LOCATOR_SIZE, 6, 7)) {
    end -= LOCATOR_SIZE + END64_SIZE;
    if (!is_record(b->data + end, 6, 6)) return io_fail(at, TME_ERR_FORMAT, "damaged archive: no zip64 directory");
    size = get64(b->data + end + 40);
    offset = get64(b->data + end + 48);
  }
  if (size > end || offset > end - size) {
    return io_fail(at, TME_ERR_FORMAT, "damaged or truncated archive: its directory is not where it should be");
  }
  *d = (zip_directory){b, end - (size_t)size, end, end - (size_t)size - (size_t)offset};
  return TME_OK;
}

/* Replaces the values that do not fit in 32 bits. */
static bool read_zip64(const uint8_t *extra, size_t n, zip_member *m) {
  uint64_t *wide[3];
  int want = 0;
  if (m->size == UINT32_MAX) wide[want++] = &m->size;
  if (m->compressed == UINT32_MAX) wide[want++] = &m->compressed;
  if (m->header == UINT32_MAX) wide[want++] = &m->header;
  while (want && n >= 4) {
    size_t id = get16(extra), len = get16(extra + 2);
    if (len > n - 4) return false;
    if (id == 1) {
      if (len < 8 * (size_t)want) return false;
      for (int i = 0; i < want; i++) *wide[i] = get64(extra + 4 + 8 * i);
      return true;
    }
    extra += 4 + len;
    n -= 4 + len;
  }
  return true; /* without the field, exactly that size is meant */
}

tme_status zip_next(const io_place *at, zip_directory *d, zip_member *m, bool *more) {
  *more = d->next < d->end;
  if (!*more) return TME_OK;
  size_t left = d->end - d->next;
  const uint8_t *p = d->bytes->data + d->next;
  if (left < ENTRY_SIZE || !is_record(p, 1, 2)) return io_fail(at, TME_ERR_FORMAT, "damaged archive: bad directory");
  size_t name = get16(p + 28), extra = get16(p + 30), all = ENTRY_SIZE + name + extra + get16(p + 32);
  if (all > left) return io_fail(at, TME_ERR_FORMAT, "damaged archive: bad directory");
  *m = (zip_member){.name = (const char *)p + ENTRY_SIZE,
                    .name_len = name,
                    .flags = get16(p + 8),
                    .method = get16(p + 10),
                    .crc = get32(p + 16),
                    .compressed = get32(p + 20),
                    .size = get32(p + 24),
                    .header = get32(p + 42)};
  if (!read_zip64(p + ENTRY_SIZE + name, extra, m)) {
    return io_fail(at, TME_ERR_FORMAT, "damaged archive: bad zip64 sizes");
  }
  d->next += all;
  return TME_OK;
}

tme_status zip_locate(const io_place *at, const zip_directory *d, const zip_member *m, size_t *start) {
  size_t size = d->bytes->size, room = size - d->base;
  if (m->header > room || room - m->header < LOCAL_SIZE) {
    return io_fail(at, TME_ERR_FORMAT, "damaged or truncated archive: the member is not within the file");
  }
  size_t local = d->base + (size_t)m->header, head;
  const uint8_t *p = d->bytes->data + local;
  head = LOCAL_SIZE + get16(p + 26) + get16(p + 28);
  if (!is_record(p, 3, 4) || get16(p + 26) != m->name_len || get16(p + 8) != m->method || head > size - local ||
      memcmp(p + LOCAL_SIZE, m->name, m->name_len) != 0) {
    return io_fail(at, TME_ERR_FORMAT, "damaged archive: the two headers of the member differ");
  }
  *start = local + head;
  if (m->compressed > size - *start) {
    return io_fail(at, TME_ERR_FORMAT, "damaged or truncated archive: expected %llu bytes of the member, found %zu",
                   (unsigned long long)m->compressed, size - *start);
  }
  return TME_OK;
}

static voidpf zlib_alloc(voidpf opaque, uInt n, uInt size) {
  (void)opaque;
  return mem_calloc(n, size);
}

static void zlib_free(voidpf opaque, voidpf p) {
  (void)opaque;
  mem_free(p);
}

static uInt part(size_t n) { return n < UINT_MAX ? (uInt)n : UINT_MAX; }

tme_status zip_begin(const io_place *at, const zip_directory *d, const zip_member *m, size_t start, zip_stream *s) {
  *s = (zip_stream){.left = m->size};
  if (m->size / DEFLATE_LIMIT > m->compressed || m->size > PTRDIFF_MAX) {
    return io_fail(at, TME_ERR_FORMAT, "it claims %llu bytes, more than its %llu compressed bytes can hold",
                   (unsigned long long)m->size, (unsigned long long)m->compressed);
  }
  s->z.zalloc = zlib_alloc;
  s->z.zfree = zlib_free;
  s->z.next_in = d->bytes->data + start;
  s->in_end = s->z.next_in + m->compressed;
  s->open = inflateInit2(&s->z, -MAX_WBITS) == Z_OK;
  return s->open ? TME_OK : io_fail(at, TME_ERR_MEMORY, "out of memory while inflating");
}

static tme_status damaged(const io_place *at) { return io_fail(at, TME_ERR_FORMAT, "damaged: it cannot be inflated"); }

tme_status zip_take(const io_place *at, zip_stream *s, uint8_t *out, size_t n) {
  const uint8_t *end = out + n;
  int got = Z_OK;
  s->z.next_out = out;
  while (got == Z_OK && s->z.next_out < end) { /* without progress it is Z_BUF_ERROR */
    s->z.avail_in = part((size_t)(s->in_end - s->z.next_in));
    s->z.avail_out = part((size_t)(end - s->z.next_out));
    got = inflate(&s->z, Z_NO_FLUSH);
  }
  if (got == Z_MEM_ERROR) return io_fail(at, TME_ERR_MEMORY, "out of memory while inflating");
  if ((got != Z_OK && got != Z_STREAM_END) || s->z.next_out < end) return damaged(at);
  s->left -= n;
  s->crc = (uint32_t)crc32_z(s->crc, out, n);
  return TME_OK;
}

/* The end of the stream may come with the last bytes or behind them. */
static bool at_end(zip_stream *s) {
  uint8_t none;
  s->z.next_out = &none;
  s->z.avail_out = 1;
  s->z.avail_in = part((size_t)(s->in_end - s->z.next_in));
  return inflate(&s->z, Z_NO_FLUSH) == Z_STREAM_END && s->z.next_out == &none;
}

tme_status zip_finish(const io_place *at, zip_stream *s, const zip_member *m) {
  uint8_t some[4096];
  while (s->left) {
    tme_status st = zip_take(at, s, some, s->left < sizeof some ? (size_t)s->left : sizeof some);
    if (st != TME_OK) return st;
  }
  if (!at_end(s)) return damaged(at);
  return s->crc == m->crc ? TME_OK : io_fail(at, TME_ERR_FORMAT, "damaged: wrong checksum");
}

void zip_end(zip_stream *s) {
  if (s->open) inflateEnd(&s->z);
  s->open = false;
}

tme_status zip_check_stored(const io_place *at, const zip_directory *d, const zip_member *m, size_t start) {
  uint32_t crc = (uint32_t)crc32_z(0, d->bytes->data + start, (size_t)m->size);
  return crc == m->crc ? TME_OK : io_fail(at, TME_ERR_FORMAT, "damaged: wrong checksum");
}
