/* A file to be written whole: the old one stays until the new one takes its place. Links stay links; what is no regular
 * file (a device, a FIFO, a folder) is never replaced. */
#ifndef TME_IO_TARGET_H
#define TME_IO_TARGET_H

#include "io/formats.h"
#include "io/temporary.h"
#include <signal.h>

typedef struct io_target {
  char *path; /* behind all symbolic links */
  temporary temp;
  bool exists;
  mode_t mode;
} io_target;

/* Where a path leads. The target is to be freed also after a failure. */
tme_status io_target_find(const io_place *at, io_target *t);
/* Whether two targets are one file, however their paths are spelled. */
bool io_target_same(const io_target *a, const io_target *b);
/* Opens the file to be written, t->temp.fd; ends the writing; puts it in place. Of few files, each may be `nameless`. */
tme_status io_target_open(const io_place *at, io_target *t, bool nameless);
tme_status io_target_finish(const io_place *at, io_target *t);
tme_status io_target_put(const io_place *at, io_target *t);
/* What was not put in place is removed. */
void io_target_free(io_target *t);

/* Between these, a write beyond the process's limit of a file's size is an error: the signal that comes with it would
 * end the process. */
typedef struct size_signal {
  sigset_t old;
  bool blocked;
} size_signal;
void size_signal_block(size_signal *s);
void size_signal_restore(const size_signal *s);

#endif
