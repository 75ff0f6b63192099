/* libFuzzer's target for the readers of files: the first byte picks the format, the second whether one name
 * is wanted, or .gguf's numbers of a few bits as they are. */
#include "io/formats.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads the first and the last byte of the array. */
static void touch(const io_array *a) {
  size_t item = tme_dtype_size(a->dtype);
  int64_t last = 0;
  for (int i = 0; i < a->rank; i++) {
    if (a->shape[i] == 0) return;
    last += (a->shape[i] - 1) * a->strides[i];
  }
  volatile uint8_t sum = a->data[0];
  sum = (uint8_t)(sum + a->data[(size_t)last + item - 1]);
  (void)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  io_bytes *b = io_bytes_new(size - 2);
  if (!b) return 0;
  if (size > 2) memcpy(b->data, data + 2, size - 2);
  error e = {0};
  io_list l;
  io_format f = (io_format)(data[0] % IO_FORMAT_COUNT);
  const io_place at = {"load", "fuzz", NULL, &e};
  bool packed = f == IO_GGUF && data[1] & 4;
  l = (io_list){0};
  tme_status st = packed ? gguf_read(&at, b, NULL, GGUF_PACKED, &l)
                         : io_parse(f, "fuzz", b, data[1] & 1 ? "a" : NULL, data[1] & 2, &l, &e);
  if (st == TME_OK) {
    for (int i = 0; i < l.n; i++)
      if (l.a[i].data) touch(&l.a[i]); /* of several, only the names may have been wanted */
  } else if (!e.text[0] || e.code == TME_OK) {
    abort();
  }
  io_list_free(&l);
  io_bytes_release(b);
  return 0;
}
