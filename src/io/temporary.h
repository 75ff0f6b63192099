/* A file that is written beside its target and has no name, where the system has such files, or one that nobody else
 * uses. Whatever ends the process, a file without a name is gone with it; one with a name is removed by
 * tme_save_abandon(), or by a later write into that folder. */
#ifndef TME_IO_TEMPORARY_H
#define TME_IO_TEMPORARY_H

#include "base/base.h"
#include <sys/types.h>

typedef struct temporary {
  int fd;     /* -1: none */
  char *name; /* its path; NULL: it has no name */
  int slot;   /* where tme_save_abandon() finds the name; -1: nowhere */
} temporary;

/* In the folder of `path`, with the permissions `mode` less the umask. Without `nameless` it has a name, and its
 * descriptor may be closed before it is put in place. False with errno. */
bool temporary_open(temporary *t, const char *path, mode_t mode, bool nameless);
/* Everything is written. False with errno. */
bool temporary_finish(temporary *t);
/* Puts it in the place of `path`, an existing file or none; nothing is left of it afterwards. False with errno. */
bool temporary_put(temporary *t, const char *path);
/* Removes it. */
void temporary_drop(temporary *t);

#ifdef TME_TEST_HOOKS
extern bool temporary_hook_named; /* as where the system has no files without a name */
#endif

#endif
