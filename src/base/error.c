#include "base/base.h"
#include <stdio.h>

tme_status vfail(error *e, tme_status code, const char *fmt, va_list ap) {
  if (!e) return code;
  if (e->code != TME_OK) return e->code;
  e->code = code;
  if (vsnprintf(e->text, sizeof e->text, fmt, ap) < 0) e->text[0] = 0;
  utf8_mend(e->text); /* names of files may be any bytes, and long ones are cut */
  return code;
}

tme_status fail(error *e, tme_status code, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  tme_status s = vfail(e, code, fmt, ap);
  va_end(ap);
  return s;
}

tme_status fail_memory(error *e, const char *what, size_t bytes) {
  return fail(e, TME_ERR_MEMORY, "%s: out of memory (%zu bytes)", what, bytes);
}

const char *tme_status_name(tme_status s) {
  switch (s) {
  case TME_OK: return "ok";
  case TME_ERR_ARGUMENT: return "argument";
  case TME_ERR_SHAPE: return "shape";
  case TME_ERR_DTYPE: return "dtype";
  case TME_ERR_MEMORY: return "memory";
  case TME_ERR_IO: return "io";
  case TME_ERR_FORMAT: return "format";
  case TME_ERR_UNSUPPORTED: return "unsupported";
  case TME_ERR_NUMERIC: return "numeric";
  case TME_ERR_JIT: return "jit";
  case TME_ERR_DEVICE: return "device";
  case TME_ERR_CANCELLED: return "cancelled";
  case TME_ERR_INDEX: return "index";
  case TME_ERR_AXIS: return "axis";
  case TME_ERR_NO_VALUE: return "no value";
  case TME_STATUS_COUNT: break;
  }
  return "unknown";
}

const char *tme_version(void) { return TME_VERSION; }
