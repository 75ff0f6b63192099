/* Pages that hold code. At no time is a page writable and executable through any mapping. */
#ifndef TME_CODE_PAGES_H
#define TME_CODE_PAGES_H

#include "base/base.h"

typedef struct code_pages code_pages;
typedef struct page_block page_block;

typedef struct page_run {
  page_block *block;
  uint8_t *address; /* where it runs, and may be read */
  size_t first, count, bytes;
} page_run;

code_pages *pages_new(error *e);
void pages_free(code_pages *p);
/* At least `bytes` (> 0), whole pages. */
tme_status pages_take(code_pages *p, size_t bytes, page_run *out, error *e);
/* Fills the start of a run that nobody executes, and makes it ready to run. Between taking and filling there may be no
 * fork: hold a lock of base/lock.h. */
tme_status pages_fill(const page_run *r, const void *code, size_t bytes, error *e);
void pages_give(code_pages *p, const page_run *r);

#ifdef TME_TEST_HOOKS
/* As on a system that refuses to execute memfds. */
void pages_refuse_memfd(bool yes);
#endif

#endif
