/* Compiled objects on disk: content-addressed files that other processes of the same user share (design: Caches). */
#ifndef TME_DISK_CACHE_H
#define TME_DISK_CACHE_H

#include "base/base.h"

typedef struct disk_cache disk_cache;

typedef struct disk_stats {
  uint64_t hits, misses, rejected; /* rejected: files that were damaged or not ours; also counted as misses */
  uint64_t bytes, entries;         /* as of the last scan */
} disk_stats;

/* Opens (and makes, 0700) the folder. `dir` NULL: $XDG_CACHE_HOME/tme or $HOME/.cache/tme as given by env. Returns NULL
 * and the reason when there can be no disk cache: AT_SECURE, a folder of another user, not writable. */
disk_cache *disk_cache_open(const char *dir, size_t max_bytes, error *e);
void disk_cache_close(disk_cache *d);
const char *disk_cache_dir(const disk_cache *d);

/* `key` is the full key (kernel bytes, target, flags, versions); it is stored in the file and compared. On a hit
 * *value is a mem_alloc'ed copy. A damaged file is a miss, counted in `rejected`, and is replaced by the next put. */
bool disk_cache_get(disk_cache *d, const void *key, size_t key_size, uint8_t **value, size_t *size);
/* Best effort, by temporary file and rename; a failure is reported but leaves nothing behind. */
tme_status disk_cache_put(disk_cache *d, const void *key, size_t key_size, const void *value, size_t size, error *e);
tme_status disk_cache_clear(disk_cache *d, error *e);
/* Files and bytes as they are now (reads the folder). */
void disk_cache_scan(disk_cache *d, disk_stats *out);
void disk_cache_stats(const disk_cache *d, disk_stats *out);

#endif
