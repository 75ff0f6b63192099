/* .npz: a zip archive of .npy files. Stored members are used where they lie, compressed ones are inflated. */
#include "io/formats.h"
#include <errno.h>
#include <limits.h>
#include <minizip/unzip.h>
#include <minizip/zip.h>
#include <string.h>
#include <unistd.h>

enum { STORED = 0, FLAG_ENCRYPTED = 1, FLAG_UTF8 = 1 << 11, NAME_MAX_BYTES = 65535 };
/* Unix and zip 4.5: some programs take other systems' names as something else than UTF-8. */
enum { MADE_BY = 3 << 8 | 45 };
/* The most that deflate makes of one byte. */
enum { DEFLATE_LIMIT = 1032 };

/* ---- reading: minizip over bytes in memory --------------------------------------------------------------------------- */

typedef struct memory {
  const uint8_t *data;
  uint64_t size, pos;
} memory;

static voidpf memory_open(voidpf opaque, const void *name, int mode) {
  (void)name, (void)mode;
  return opaque;
}

static uLong memory_read(voidpf opaque, voidpf stream, void *buf, uLong size) {
  (void)opaque;
  memory *m = stream;
  uint64_t left = m->size - m->pos, n = size < left ? size : left;
  if (n) memcpy(buf, m->data + m->pos, n);
  m->pos += n;
  return (uLong)n;
}

static ZPOS64_T memory_tell(voidpf opaque, voidpf stream) {
  (void)opaque;
  return ((memory *)stream)->pos;
}

static long memory_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin) {
  (void)opaque;
  memory *m = stream;
  uint64_t base = origin == ZLIB_FILEFUNC_SEEK_END ? m->size : origin == ZLIB_FILEFUNC_SEEK_CUR ? m->pos : 0, to;
  if (__builtin_add_overflow(base, offset, &to) || to > m->size) return -1;
  m->pos = to;
  return 0;
}

static int nothing(voidpf opaque, voidpf stream) {
  (void)opaque, (void)stream;
  return 0;
}

typedef struct archive {
  unzFile zip;
  io_bytes *bytes;
  uint64_t used; /* compressed bytes of the members read so far: overlapping ones would inflate the same bytes again */
  const io_place *at;
} archive;

static tme_status inflate_member(const io_place *at, unzFile zip, size_t size, io_bytes **out) {
  io_bytes *b = io_bytes_new(size);
  if (!b) return io_fail_memory(at, size);
  size_t done = 0;
  int got = 1;
  while (done < size && got > 0) {
    size_t left = size - done;
    got = unzReadCurrentFile(zip, b->data + done, left < INT_MAX ? (unsigned)left : INT_MAX);
    if (got > 0) done += (size_t)got;
  }
  if (done < size) {
    io_bytes_release(b);
    return io_fail(at, TME_ERR_FORMAT, "damaged: %zu bytes were to be inflated, %zu could be", size, done);
  }
  *out = b;
  return TME_OK;
}

/* The current member is open. */
static tme_status read_member(archive *ar, const io_place *at, const unz_file_info64 *info, io_array *a) {
  uint64_t start = unzGetCurrentFileZStreamPos64(ar->zip), size = ar->bytes->size;
  if (start > size || info->compressed_size > size - start) {
    return io_fail(at, TME_ERR_FORMAT, "truncated: its data ends behind the file's end");
  }
  ar->used += info->compressed_size;
  if (ar->used > size) return io_fail(at, TME_ERR_FORMAT, "the archive's members overlap");
  if (info->compression_method == STORED) {
    if (info->uncompressed_size != info->compressed_size) {
      return io_fail(at, TME_ERR_FORMAT, "a stored member of two different sizes");
    }
    return npy_read_part(at, ar->bytes, (size_t)start, (size_t)info->compressed_size, a);
  }
  if (info->uncompressed_size / DEFLATE_LIMIT > info->compressed_size || info->uncompressed_size > PTRDIFF_MAX) {
    return io_fail(at, TME_ERR_FORMAT, "it claims %llu bytes, more than its %llu compressed bytes can hold",
                   (unsigned long long)info->uncompressed_size, (unsigned long long)info->compressed_size);
  }
  io_bytes *b = NULL;
  tme_status s = inflate_member(at, ar->zip, (size_t)info->uncompressed_size, &b);
  if (s != TME_OK) return s;
  s = npy_read_part(at, b, 0, b->size, a);
  io_bytes_release(b);
  return s;
}

static tme_status open_member(archive *ar, const io_place *at, const unz_file_info64 *info, io_array *a) {
  if (info->flag & FLAG_ENCRYPTED) return io_fail(at, TME_ERR_UNSUPPORTED, "encrypted members cannot be read");
  if (info->compression_method != STORED && info->compression_method != Z_DEFLATED) {
    return io_fail(at, TME_ERR_UNSUPPORTED, "compression method %lu, expected stored (0) or deflated (8)",
                   info->compression_method);
  }
  if (unzOpenCurrentFile(ar->zip) != UNZ_OK) {
    return io_fail(at, TME_ERR_FORMAT, "damaged: the two headers of the member differ");
  }
  tme_status s = read_member(ar, at, info, a);
  /* Checks the sum of what was inflated. */
  if (unzCloseCurrentFile(ar->zip) == UNZ_CRCERROR && s == TME_OK) {
    s = io_fail(at, TME_ERR_FORMAT, "damaged: wrong checksum");
  }
  return s;
}

/* Members that are not .npy files are passed over, as NumPy does. */
static tme_status visit(archive *ar, char *name, const char *only, io_list *out, bool *found) {
  unz_file_info64 info;
  if (unzGetCurrentFileInfo64(ar->zip, &info, name, NAME_MAX_BYTES + 1, NULL, 0, NULL, 0) != UNZ_OK) {
    return io_fail(ar->at, TME_ERR_FORMAT, "damaged archive: bad directory entry");
  }
  size_t len = info.size_filename < NAME_MAX_BYTES ? (size_t)info.size_filename : NAME_MAX_BYTES;
  name[len] = 0;
  if (len < 4 || memcmp(name + len - 4, ".npy", 4) != 0 || memchr(name, 0, len)) return TME_OK;
  name[len - 4] = 0;
  if (only && strcmp(name, only) != 0) return TME_OK;
  *found = true;
  io_array *a = io_list_add(out, name, len - 4);
  if (!a) return io_fail_memory(ar->at, len);
  io_place at = {ar->at->verb, ar->at->path, a->name, ar->at->e};
  return open_member(ar, &at, &info, a);
}

static tme_status visit_all(archive *ar, const char *only, io_list *out) {
  unz_global_info64 global;
  if (unzGetGlobalInfo64(ar->zip, &global) != UNZ_OK) return io_fail(ar->at, TME_ERR_FORMAT, "damaged archive");
  if (global.number_entry == 0) return TME_OK;
  char *name = mem_alloc(NAME_MAX_BYTES + 1);
  if (!name) return io_fail_memory(ar->at, NAME_MAX_BYTES + 1);
  tme_status s = TME_OK;
  bool found = false;
  int more = unzGoToFirstFile(ar->zip);
  while (more == UNZ_OK && s == TME_OK && !(only && found)) {
    s = visit(ar, name, only, out, &found);
    if (s == TME_OK) more = unzGoToNextFile(ar->zip);
  }
  mem_free(name);
  if (s == TME_OK && more != UNZ_OK && more != UNZ_END_OF_LIST_OF_FILE) {
    s = io_fail(ar->at, TME_ERR_FORMAT, "damaged archive: bad directory entry");
  }
  return s;
}

tme_status npz_read(const io_place *at, io_bytes *b, const char *only, io_list *out) {
  memory m = {b->data, b->size, 0};
  zlib_filefunc64_def calls = {memory_open, memory_read, NULL, memory_tell, memory_seek, nothing, nothing, &m};
  archive ar = {unzOpen2_64(at->path, &calls), b, 0, at};
  if (!ar.zip) return io_fail(at, TME_ERR_FORMAT, "not a zip archive, or a truncated one: no directory at its end");
  tme_status s = visit_all(&ar, only, out);
  unzClose(ar.zip);
  return s;
}

/* ---- writing: minizip over the sink ---------------------------------------------------------------------------------- */

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
  bool ok = zipOpenNewFileInZip4_64(zip, name, &info, extra, extra_size, NULL, 0, NULL, STORED, 0, 0, -MAX_WBITS,
                                    DEF_MEM_LEVEL, Z_DEFAULT_STRATEGY, NULL, 0, MADE_BY, FLAG_UTF8, zip64) == ZIP_OK;
  ok = ok && put_member(zip, header, head) && put_member(zip, a->data, bytes) && zipCloseFileInZip(zip) == ZIP_OK;
  return ok && !s->errnum ? TME_OK : io_fail_errno(at, "cannot write", s->errnum ? s->errnum : ENOMEM);
}

tme_status npz_write(const io_place *at, io_sink *s, const io_source *a, int n) {
  char *name = mem_alloc(NAME_MAX_BYTES + 1);
  if (!name) return io_fail_memory(at, NAME_MAX_BYTES + 1);
  zlib_filefunc64_def calls = {memory_open, sink_read, sink_write, sink_tell, sink_seek, nothing, sink_error, s};
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
