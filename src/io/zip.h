/* The directory of a zip archive in memory, with zip64. Not minizip: the release that distributions ship (1.1) misses
 * zip64 sizes where `long` has 64 bits, so it cannot read arrays beyond 4 GiB, and leaks when a write fails. */
#ifndef TME_IO_ZIP_H
#define TME_IO_ZIP_H

#include "io/formats.h"
#include <zlib.h>

enum { ZIP_STORED = 0, ZIP_DEFLATED = 8, ZIP_ENCRYPTED = 1 /* flag */ };

typedef struct zip_directory {
  const io_bytes *bytes;
  size_t next, end; /* of the entries not yet visited */
  size_t base;      /* where the archive begins: it may have something in front */
} zip_directory;

typedef struct zip_member {
  const char *name; /* not terminated */
  size_t name_len;
  unsigned flags, method;
  uint32_t crc;
  uint64_t compressed, size;
  uint64_t header; /* counted from the base */
} zip_member;

tme_status zip_open(const io_place *at, const io_bytes *b, zip_directory *d);
/* Fills the next member; *more is false behind the last. */
tme_status zip_next(const io_place *at, zip_directory *d, zip_member *m, bool *more);
/* Where the member's compressed bytes begin; they are within the file. */
tme_status zip_locate(const io_place *at, const zip_directory *d, const zip_member *m, size_t *start);
/* The bytes of a deflated member, from its first one on. */
typedef struct zip_stream {
  z_stream z;
  const uint8_t *in_end;
  uint64_t left; /* that the member claims and that were not taken */
  uint32_t crc;  /* of those that were */
  bool open;
} zip_stream;
tme_status zip_begin(const io_place *at, const zip_directory *d, const zip_member *m, size_t start, zip_stream *s);
/* The next n bytes, which are no more than are left. */
tme_status zip_take(const io_place *at, zip_stream *s, uint8_t *out, size_t n);
/* Takes what is left; the member must end there, and its sum be right. */
tme_status zip_finish(const io_place *at, zip_stream *s, const zip_member *m);
/* Also after a failure, and where it was not begun but is zero. */
void zip_end(zip_stream *s);
/* The sum of a stored member. */
tme_status zip_check_stored(const io_place *at, const zip_directory *d, const zip_member *m, size_t start);

#endif
