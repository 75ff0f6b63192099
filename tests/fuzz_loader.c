/* libFuzzer's target for the loader of object files: the bytes as they are, or edits of an object that a compiler made,
 * for x86-64 or AArch64. The first byte says which; an edit is its place (two bytes), its width and its value. */
#include "backend/cpu/code_elf.h"
#include "objects.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST_IMAGE = 1 << 20 };

static void apply_edits(uint8_t *object, size_t size, const uint8_t *data, size_t n) {
  while (n >= 4) {
    size_t at = (size_t)(data[0] | data[1] << 8) % size, width = (size_t)1 << data[2] % 4;
    data += 3;
    n -= 3;
    for (; width && n && at < size; width--, n--) object[at++] = *data++;
  }
}

static void load(const uint8_t *object, size_t size) {
  elf_object o;
  error e = {0};
  if (elf_open(&o, object, size, "k", &e) != TME_OK) {
    if (e.code == TME_OK || !e.text[0]) abort();
    return;
  }
  if (o.entry >= o.image_size) abort();
  if (o.image_size > LARGEST_IMAGE) return;
  uint8_t *image = calloc(1, o.image_size);
  if (!image) return;
  if (elf_link(&o, image, 0x7f1234560000, &e) != TME_OK && (e.code == TME_OK || !e.text[0])) abort();
  free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  bool arm = data[0] % 3 == 2, edited = data[0] % 3 != 0;
  size_t n = !edited ? size - 1 : arm ? sizeof object_arm : sizeof object_x86;
  uint8_t *object = malloc(n ? n : 1);
  if (!object) return 0;
  if (n) memcpy(object, !edited ? data + 1 : arm ? object_arm : object_x86, n);
  if (edited) apply_edits(object, n, data + 1, size - 1);
  load(object, n);
  free(object);
  return 0;
}
