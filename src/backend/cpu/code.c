#include "backend/cpu/code.h"
#include "backend/cpu/code_elf.h"
#include "backend/cpu/code_pages.h"

struct code_arena {
  code_pages *pages;
};

struct code {
  code_arena *arena;
  page_run run;
  void *entry;
};

code_arena *code_arena_new(error *e) {
  code_arena *a = mem_alloc(sizeof *a);
  if (!a) {
    fail_memory(e, "code", sizeof *a);
    return NULL;
  }
  a->pages = pages_new(e);
  if (!a->pages) {
    mem_free(a);
    return NULL;
  }
  return a;
}

void code_arena_free(code_arena *a) {
  if (!a) return;
  pages_free(a->pages);
  mem_free(a);
}

/* Links into a buffer, for the address of the pages, and copies it there once all of it is known to be right. */
static tme_status link_and_fill(const elf_object *o, const page_run *r, error *e) {
  uint8_t *image = mem_calloc(1, o->image_size);
  if (!image) return fail_memory(e, "code", o->image_size);
  tme_status s = elf_link(o, image, (uint64_t)(uintptr_t)r->address, e);
  if (s == TME_OK) s = pages_fill(r, image, o->image_size, e);
  mem_free(image);
  return s;
}

code *code_load(code_arena *a, const uint8_t *object, size_t size, const char *symbol, error *e) {
  elf_object o;
  if (elf_open(&o, object, size, symbol, e) != TME_OK) return NULL;
  code *c = mem_alloc(sizeof *c);
  if (!c) {
    fail_memory(e, "code", sizeof *c);
    return NULL;
  }
  c->arena = a;
  if (pages_take(a->pages, o.image_size, &c->run, e) != TME_OK) {
    mem_free(c);
    return NULL;
  }
  c->entry = c->run.address + o.entry;
  if (link_and_fill(&o, &c->run, e) != TME_OK) {
    code_free(c);
    return NULL;
  }
  return c;
}

void *code_entry(const code *c) { return c->entry; }
size_t code_size(const code *c) { return c->run.bytes; }

void code_free(code *c) {
  if (!c) return;
  pages_give(c->arena->pages, &c->run);
  mem_free(c);
}
