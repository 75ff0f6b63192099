#include "cache/disk_cache.h"
#include "base/env.h"
#include "base/hash.h"
#include "base/lock.h"
#include "cache/disk_files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file is this header, the key, the value and a hash128 of all that; numbers as this machine writes them. */
typedef struct file_header {
  char magic[8];
  uint32_t format, byte_order;
  uint64_t key_size, value_size;
} file_header;

enum { MAX_FILE = 256 << 20, FORMAT = 1, SCAN_EVERY = 64, TOUCH_SECONDS = 60 };

static const file_header expected = {{'t', 'm', 'e', 'c', 'a', 'c', 'h', 'e'}, FORMAT, 0x01020304, 0, 0};

struct disk_cache {
  int fd; /* the folder */
  char *dir;
  size_t max_bytes;
  lock lock; /* of what follows */
  disk_stats stats;
  unsigned puts_since_scan; /* other processes put as well, so the sum is looked up now and then */
  bool scanned;
};

/* dir, or the folder that the environment names; NULL with the reason. */
static char *choose_dir(const char *dir, error *e) {
  if (dir) {
    char *copy = mem_strdup(dir);
    if (!copy) fail_memory(e, "disk cache", strlen(dir) + 1);
    return copy;
  }
  const char *base = env_get("XDG_CACHE_HOME"), *tail = "/tme";
  if (!base || *base != '/') { /* a relative one is to be ignored, says the specification */
    base = env_get("HOME");
    tail = "/.cache/tme";
  }
  if (!base || *base != '/') {
    fail(e, TME_ERR_IO, "disk cache: neither XDG_CACHE_HOME nor HOME names a folder");
    return NULL;
  }
  text t = {0};
  text_add(&t, "%s%s", base, tail);
  if (t.failed) {
    text_free(&t);
    fail_memory(e, "disk cache", strlen(base) + 16);
    return NULL;
  }
  return t.s;
}

disk_cache *disk_cache_open(const char *dir, size_t max_bytes, error *e) {
  if (env_secure()) {
    fail(e, TME_ERR_IO, "disk cache: off in a process with raised privileges");
    return NULL;
  }
  char *path = choose_dir(dir, e);
  if (!path) return NULL;
  disk_cache *d = mem_calloc(1, sizeof *d);
  int fd = -1;
  if (!d)
    fail_memory(e, "disk cache", sizeof *d);
  else
    fd = disk_folder_open(path, e);
  if (fd < 0) {
    mem_free(d);
    mem_free(path);
    return NULL;
  }
  lock_init(&d->lock, LOCK_INNER);
  d->fd = fd;
  d->dir = path;
  d->max_bytes = max_bytes;
  return d;
}

void disk_cache_close(disk_cache *d) {
  if (!d) return;
  close(d->fd);
  lock_end(&d->lock);
  mem_free(d->dir);
  mem_free(d);
}

const char *disk_cache_dir(const disk_cache *d) { return d->dir; }

static size_t max_file(const disk_cache *d) { return d->max_bytes < MAX_FILE ? d->max_bytes : MAX_FILE; }

/* Damage of any kind shows here, including a file of another format, build or byte order. */
static bool sound(const uint8_t *file, size_t size, file_header *h) {
  hash128 sum, now;
  if (size < sizeof *h + sizeof sum) return false;
  memcpy(h, file, sizeof *h);
  if (memcmp(h->magic, expected.magic, sizeof h->magic) != 0 || h->format != FORMAT ||
      h->byte_order != expected.byte_order)
    return false;
  uint64_t content = size - sizeof *h - sizeof sum;
  if (h->key_size > content || h->value_size != content - h->key_size) return false;
  memcpy(&sum, file + size - sizeof sum, sizeof sum);
  now = hash_bytes(file, size - sizeof sum);
  return sum.lo == now.lo && sum.hi == now.hi;
}

typedef enum verdict { FOUND, ABSENT, REJECTED } verdict;

/* On FOUND *out is the value, moved to the start of the file's memory. */
static verdict read_entry(disk_cache *d, const void *key, size_t key_size, uint8_t **out, size_t *size) {
  char name[FILE_NAME_SIZE];
  disk_file_name(name, hash_bytes(key, key_size));
  struct stat st;
  int fd = disk_file_open(d->fd, name, max_file(d), &st);
  if (fd < 0) return fd == FILE_ABSENT ? ABSENT : REJECTED;
  size_t n = (size_t)st.st_size;
  uint8_t *file = mem_alloc(n);
  file_header h;
  verdict v = ABSENT;
  if (file) {
    if (!disk_file_read(fd, file, n) || !sound(file, n, &h))
      v = REJECTED;
    else if (h.key_size == key_size && (key_size == 0 || !memcmp(file + sizeof h, key, key_size)))
      v = FOUND; /* else another key of the same hash */
  }
  if (v == FOUND) {
    disk_file_touch(fd, &st, TOUCH_SECONDS);
    memmove(file, file + sizeof h + key_size, h.value_size);
    *out = file;
    *size = h.value_size;
  } else {
    mem_free(file);
  }
  close(fd);
  return v;
}

bool disk_cache_get(disk_cache *d, const void *key, size_t key_size, uint8_t **value, size_t *size) {
  verdict v = read_entry(d, key, key_size, value, size);
  lock_take(&d->lock);
  d->stats.hits += v == FOUND;
  d->stats.misses += v != FOUND;
  d->stats.rejected += v == REJECTED;
  lock_give(&d->lock);
  return v == FOUND;
}

static int older_first(const void *a, const void *b) {
  const disk_file *x = a, *y = b;
  if (x->used_s != y->used_s) return x->used_s < y->used_s ? -1 : 1;
  if (x->used_ns != y->used_ns) return x->used_ns < y->used_ns ? -1 : 1;
  return memcmp(x->name, y->name, sizeof x->name);
}

/* Reads the folder into the statistics and, if there is more than allowed, deletes the least recently used. An eighth
 * more than needed, so that a full cache is not read again at every put. The lock is held. */
static bool scan(disk_cache *d, bool trim) {
  disk_file *files;
  size_t n;
  if (!disk_folder_list(d->fd, &files, &n)) return false;
  uint64_t bytes = 0, entries = n;
  for (size_t i = 0; i < n; i++) bytes += files[i].size;
  if (trim && bytes > d->max_bytes) {
    qsort(files, n, sizeof *files, older_first);
    for (size_t i = 0; i < n && bytes > d->max_bytes - d->max_bytes / 8; i++)
      if (unlinkat(d->fd, files[i].name, 0) == 0 || errno == ENOENT) {
        bytes -= files[i].size;
        entries--;
      }
  }
  mem_free(files);
  d->stats.bytes = bytes;
  d->stats.entries = entries;
  d->puts_since_scan = 0;
  d->scanned = true;
  return true;
}

static void account(disk_cache *d, size_t added) {
  lock_take(&d->lock);
  d->stats.bytes += added;
  d->stats.entries++;
  if (!d->scanned || ++d->puts_since_scan >= SCAN_EVERY || d->stats.bytes > d->max_bytes) scan(d, true);
  lock_give(&d->lock);
}

tme_status disk_cache_put(disk_cache *d, const void *key, size_t key_size, const void *value, size_t size, error *e) {
  file_header h = expected;
  size_t content, total;
  h.key_size = key_size;
  h.value_size = size;
  if (!add_size(sizeof h, key_size, &content) || !add_size(content, size, &content) ||
      !add_size(content, sizeof(hash128), &total) || total > max_file(d))
    return fail(e, TME_ERR_ARGUMENT, "disk cache: %zu bytes are more than its bound", size);
  uint8_t *file = mem_alloc(total);
  if (!file) return fail_memory(e, "disk cache", total);
  memcpy(file, &h, sizeof h);
  if (key_size) memcpy(file + sizeof h, key, key_size);
  if (size) memcpy(file + sizeof h + key_size, value, size);
  hash128 sum = hash_bytes(file, content);
  memcpy(file + content, &sum, sizeof sum);
  char name[FILE_NAME_SIZE];
  disk_file_name(name, hash_bytes(key, key_size));
  tme_status s = disk_file_replace(d->fd, name, file, total, e);
  mem_free(file);
  if (s == TME_OK) account(d, total);
  return s;
}

tme_status disk_cache_clear(disk_cache *d, error *e) {
  disk_file *files;
  size_t n;
  if (!disk_folder_list(d->fd, &files, &n)) return fail(e, TME_ERR_IO, "disk cache: cannot read %s", d->dir);
  tme_status s = TME_OK;
  for (size_t i = 0; i < n; i++)
    if (unlinkat(d->fd, files[i].name, 0) != 0 && errno != ENOENT)
      s = fail(e, TME_ERR_IO, "disk cache: cannot delete %s/%s: %s", d->dir, files[i].name, strerror(errno));
  mem_free(files);
  lock_take(&d->lock);
  scan(d, false);
  lock_give(&d->lock);
  return s;
}

void disk_cache_scan(disk_cache *d, disk_stats *out) {
  lock_take(&d->lock);
  scan(d, false);
  *out = d->stats;
  lock_give(&d->lock);
}

void disk_cache_stats(const disk_cache *d, disk_stats *out) {
  lock *guard = (lock *)&d->lock; /* the caller's view is const, the cache is not */
  lock_take(guard);
  *out = d->stats;
  lock_give(guard);
}
