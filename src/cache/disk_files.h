/* The files of the disk cache, as far as trust and the system go; what is in them is disk_cache.c's. */
#ifndef TME_DISK_FILES_H
#define TME_DISK_FILES_H

#include "base/base.h"
#include "base/hash.h"
#include <sys/stat.h>

enum { FILE_NAME_SIZE = 37, FILE_ABSENT = -1, FILE_REJECTED = -2 };

/* Makes the folder and what is missing above it (0700) and opens it. -1 with the reason, also when it is a link, not
 * our own, or others may write to it. */
int disk_folder_open(const char *path, error *e);

typedef struct disk_file {
  char name[FILE_NAME_SIZE];
  uint64_t size;
  int64_t used_s; /* its time of modification */
  long used_ns;
} disk_file;

/* All files that bear a name of the cache; abandoned temporary ones are deleted on the way. False on failure. */
bool disk_folder_list(int folder, disk_file **out, size_t *n);

/* 32 hexadecimal digits and ".tme". */
void disk_file_name(char out[FILE_NAME_SIZE], hash128 h);
/* Opens for reading: a regular file, our own, not writable by others, with no second link, of 1 to max bytes. */
int disk_file_open(int folder, const char *name, size_t max, struct stat *st);
bool disk_file_read(int fd, uint8_t *out, size_t n);
/* Marks as used now, unless it was within so many seconds. */
void disk_file_touch(int fd, const struct stat *st, int seconds);
/* By a temporary file and rename: readers see the old file or the new one. */
tme_status disk_file_replace(int folder, const char *name, const void *bytes, size_t n, error *e);

#endif
