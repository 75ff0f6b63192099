#include "base/module.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

bool module_path(const char *file, char *out, size_t size) {
#ifdef TME_TEST_MODULE_DIR
  return snprintf(out, size, "%s/%s", TME_TEST_MODULE_DIR, file) < (int)size;
#else
  static const char here; /* any object of this library */
  Dl_info self;
  if (!dladdr(&here, &self) || !self.dli_fname) return false;
  const char *slash = strrchr(self.dli_fname, '/');
  int dir = slash ? (int)(slash - self.dli_fname) : 1;
  return snprintf(out, size, "%.*s/%s", dir, slash ? self.dli_fname : ".", file) < (int)size;
#endif
}
