/* A relocatable ELF64 object as an image that can be placed at an address. */
#ifndef TME_CODE_ELF_H
#define TME_CODE_ELF_H

#include "base/base.h"

enum { ELF_MAX_SECTIONS = 128 };

typedef struct elf_object {
  const uint8_t *bytes; /* the caller's */
  size_t size;
  unsigned machine, sections;
  uint64_t table;                 /* offset of the section headers */
  unsigned symbols_section;       /* index of the symbol table */
  uint64_t symbols, symbol_count; /* its offset and length */
  size_t place[ELF_MAX_SECTIONS]; /* offset of each section in the image, SIZE_MAX where it is not loaded */
  size_t image_size, entry;       /* the only global function's offset in the image */
} elf_object;

/* Checks everything but the relocations and lays out the image. */
tme_status elf_open(elf_object *o, const uint8_t *bytes, size_t size, const char *symbol, error *e);
/* Fills `image`, o->image_size zero bytes, so that it can run at the address `base`, which is aligned to a page. */
tme_status elf_link(const elf_object *o, uint8_t *image, uint64_t base, error *e);
/* One relocation at image + at. False if the kind is not allowed, does not fit in `room` bytes or the value does not
 * fit in its field. `target` is the symbol's address plus the addend. */
bool elf_relocate(unsigned machine, unsigned kind, uint8_t *image, size_t at, size_t room, uint64_t base,
                  uint64_t target);

#endif
