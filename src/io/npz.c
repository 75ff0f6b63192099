/* .npz: a zip archive of .npy files. Stored members are used where they lie, deflated ones are inflated. */
#include "io/formats.h"
#include "io/zip.h"
#include <errno.h>
#include <minizip/zip.h>
#include <string.h>
#include <unistd.h>

enum { FLAG_UTF8 = 1 << 11, NAME_MAX_BYTES = 65535 };
/* Unix and zip 4.5: some programs take other systems' names as something else than UTF-8. */
enum { MADE_BY = 3 << 8 | 45 };

/* ---- reading ------------------------------------------------------------------------------------------------------- */

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

/* ---- writing: minizip over the sink ---------------------------------------------------------------------------------- */

static voidpf sink_open(voidpf opaque, const void *name, int mode) {
  (void)name, (void)mode;
  return opaque;
}

static int sink_close(voidpf opaque, voidpf stream) {
  (void)opaque, (void)stream;
  return 0;
}

static uLong sink_write(voidpf opaque, voidpf stream, const void *buf, uLong size) {
  (void)opaque;
  return io_put(stream, buf, size) ? size : 0;
}

static ZPOS64_T sink_tell(voidpf opaque, voidpf stream) {
  (void)opaque;
  return (ZPOS64_T)lseek(((io_sink *)stream)->fd, 0, SEEK_CUR);
}

static long sink_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin) {
  (void)opaque;
  io_sink *s = stream;
  int whence = origin == ZLIB_FILEFUNC_SEEK_END ? SEEK_END : origin == ZLIB_FILEFUNC_SEEK_CUR ? SEEK_CUR : SEEK_SET;
  if (lseek(s->fd, (off_t)offset, whence) >= 0) return 0;
  if (!s->errnum) s->errnum = errno;
  return -1;
}

static uLong sink_read(voidpf opaque, voidpf stream, void *buf, uLong size) {
  (void)opaque, (void)stream, (void)buf, (void)size;
  return 0;
}

static int sink_error(voidpf opaque, voidpf stream) {
  (void)opaque;
  return ((io_sink *)stream)->errnum;
}

static bool put_member(zipFile zip, const void *p, size_t n) {
  const char *from = p;
  while (n > 0) {
    unsigned part = n < (1u << 30) ? (unsigned)n : 1u << 30;
    if (zipWriteInFileInZip(zip, from, part) != ZIP_OK) return false;
    from += part;
    n -= part;
  }
  return true;
}

/* An extra field that moves the member's data to a multiple of 64 bytes, so that a mapped array is aligned. */
static unsigned padding(uint64_t pos, size_t name, bool zip64, uint8_t extra[68]) {
  uint64_t start = pos + 30 + name + (zip64 ? 20 : 0) + 4;
  unsigned fill = (unsigned)(64 - start % 64) % 64;
  memset(extra, 0, 68);
  extra[0] = 0x35; /* 0xd935: the identifier that Android's zipalign pads with */
  extra[1] = 0xd9;
  extra[2] = (uint8_t)fill;
  return 4 + fill;
}

static tme_status write_member(const io_place *at, io_sink *s, zipFile zip, const io_source *a, char *name) {
  char header[NPY_HEADER_MAX];
  size_t head;
  tme_status st = npy_header(at, a, header, &head);
  if (st != TME_OK) return st;
  size_t bytes = io_source_bytes(a), len = strlen(a->name);
  memcpy(name, a->name, len);
  memcpy(name + len, ".npy", 5);
  bool zip64 = bytes > UINT32_MAX - head;
  uint8_t extra[68];
  off_t pos = lseek(s->fd, 0, SEEK_CUR);
  unsigned extra_size = padding((uint64_t)pos, len + 4, zip64, extra);
  /* A fixed date, 1980-01-01, so that equal arrays make equal files. */
  zip_fileinfo info = {.dosDate = 1 << 5 | 1, .external_fa = 0644ul << 16};
  bool ok = zipOpenNewFileInZip4_64(zip, name, &info, extra, extra_size, NULL, 0, NULL, ZIP_STORED, 0, 0, -MAX_WBITS,
                                    DEF_MEM_LEVEL, Z_DEFAULT_STRATEGY, NULL, 0, MADE_BY, FLAG_UTF8, zip64) == ZIP_OK;
  ok = ok && put_member(zip, header, head) && put_member(zip, a->data, bytes) && zipCloseFileInZip(zip) == ZIP_OK;
  return ok && !s->errnum ? TME_OK : io_fail_errno(at, "cannot write", s->errnum ? s->errnum : ENOMEM);
}

tme_status npz_write(const io_place *at, io_sink *s, const io_source *a, int n) {
  char *name = mem_alloc(NAME_MAX_BYTES + 1);
  if (!name) return io_fail_memory(at, NAME_MAX_BYTES + 1);
  zlib_filefunc64_def calls = {sink_open, sink_read, sink_write, sink_tell, sink_seek, sink_close, sink_error, s};
  zipFile zip = zipOpen2_64(at->path, APPEND_STATUS_CREATE, NULL, &calls);
  tme_status st = zip ? TME_OK : io_fail_memory(at, NAME_MAX_BYTES);
  for (int i = 0; i < n && st == TME_OK; i++) {
    io_place member = {at->verb, at->path, a[i].name, at->e};
    if (strlen(a[i].name) > NAME_MAX_BYTES - 4) {
      st = io_fail(at, TME_ERR_ARGUMENT, "a name of %zu bytes, a zip archive takes %d", strlen(a[i].name),
                   NAME_MAX_BYTES - 4);
    } else {
      st = write_member(&member, s, zip, &a[i], name);
    }
  }
  bool closed = !zip || zipClose(zip, NULL) == ZIP_OK;
  if (st == TME_OK && (!closed || s->errnum)) st = io_fail_errno(at, "cannot write", s->errnum ? s->errnum : EIO);
  mem_free(name);
  return st;
}
