#include "base/room.h"
#include <sys/mman.h>
#include <sys/resource.h>

static bool finite(int status, const struct rlimit *limit) { return status == 0 && limit->rlim_cur != RLIM_INFINITY; }

bool room_limited(void) {
  struct rlimit limit;
  return finite(getrlimit(RLIMIT_AS, &limit), &limit) || finite(getrlimit(RLIMIT_DATA, &limit), &limit);
}

bool room_for(size_t bytes) {
  if (!room_limited()) return true;
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return false;
  munmap(p, bytes);
  return true;
}
