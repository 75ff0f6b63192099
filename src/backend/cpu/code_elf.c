#include "backend/cpu/code_elf.h"
#include <elf.h>
#include <string.h>

enum { MAX_IMAGE = 64 << 20, MAX_ALIGN = 4096 };

static tme_status broken(error *e, const char *what) { return fail(e, TME_ERR_FORMAT, "object: %s", what); }

/* Structures lie at any offset of a hostile file, so they are copied out. */
static bool get(const elf_object *o, uint64_t offset, void *out, size_t n) {
  if (offset > o->size || n > o->size - offset) return false;
  memcpy(out, o->bytes + offset, n);
  return true;
}

static Elf64_Shdr section(const elf_object *o, unsigned i) {
  Elf64_Shdr s;
  memcpy(&s, o->bytes + o->table + (uint64_t)i * sizeof s, sizeof s); /* the table was checked */
  return s;
}

static Elf64_Sym symbol_at(const elf_object *o, uint64_t i) {
  Elf64_Sym y;
  memcpy(&y, o->bytes + o->symbols + i * sizeof y, sizeof y);
  return y;
}

static bool in_file(const elf_object *o, const Elf64_Shdr *s) {
  return s->sh_offset <= o->size && s->sh_size <= o->size - s->sh_offset;
}

static tme_status read_header(elf_object *o, error *e) {
  Elf64_Ehdr h;
  if (!get(o, 0, &h, sizeof h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0) return broken(e, "not an ELF file");
  if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_type != ET_REL ||
      h.e_version != EV_CURRENT)
    return broken(e, "not a relocatable little-endian ELF64 file");
  if (h.e_machine != EM_X86_64 && h.e_machine != EM_AARCH64) return broken(e, "of an unknown machine");
  if (h.e_shentsize != sizeof(Elf64_Shdr) || h.e_shnum == 0 || h.e_shnum > ELF_MAX_SECTIONS || h.e_shoff > o->size ||
      h.e_shnum * sizeof(Elf64_Shdr) > o->size - h.e_shoff)
    return broken(e, "bad section table");
  o->machine = h.e_machine;
  o->sections = h.e_shnum;
  o->table = h.e_shoff;
  return TME_OK;
}

/* Whether a section is part of the image; unwind tables and notes are of no use to code that calls nothing. */
static tme_status wanted(const elf_object *o, const Elf64_Shdr *s, bool *yes, error *e) {
  *yes = false;
  if (!(s->sh_flags & SHF_ALLOC) || s->sh_size == 0) return TME_OK;
  if (s->sh_type == SHT_NOTE || (o->machine == EM_X86_64 && s->sh_type == SHT_X86_64_UNWIND)) return TME_OK;
  if (s->sh_type != SHT_PROGBITS && s->sh_type != SHT_NOBITS) return broken(e, "a section of an unknown kind");
  if (s->sh_flags & (SHF_WRITE | SHF_TLS | SHF_COMPRESSED)) return broken(e, "a writable or packed section");
  *yes = true;
  return TME_OK;
}

static tme_status lay_out(elf_object *o, error *e) {
  size_t top = 0;
  for (unsigned i = 0; i < o->sections; i++) {
    Elf64_Shdr s = section(o, i);
    o->place[i] = SIZE_MAX;
    if (s.sh_type != SHT_NOBITS && s.sh_type != SHT_NULL && !in_file(o, &s))
      return broken(e, "a section outside the file");
    bool yes;
    tme_status st = wanted(o, &s, &yes, e);
    if (st != TME_OK) return st;
    if (!yes) continue;
    uint64_t align = s.sh_addralign < 16 ? 16 : s.sh_addralign;
    if (align > MAX_ALIGN || (align & (align - 1))) return broken(e, "a section's alignment");
    top = (top + align - 1) & ~(align - 1);
    if (s.sh_size > MAX_IMAGE || top + s.sh_size > MAX_IMAGE) return broken(e, "too large");
    o->place[i] = top;
    top += s.sh_size;
  }
  o->image_size = top;
  return top ? TME_OK : broken(e, "empty");
}

static bool same_name(const elf_object *o, const Elf64_Shdr *names, uint64_t at, const char *name) {
  size_t n = strlen(name) + 1;
  return at < names->sh_size && n <= names->sh_size - at && !memcmp(o->bytes + names->sh_offset + at, name, n);
}

/* True if the symbol names a place in a section of the image. */
static bool placed(const elf_object *o, const Elf64_Sym *y) {
  return y->st_shndx < o->sections && o->place[y->st_shndx] != SIZE_MAX &&
         y->st_value <= section(o, y->st_shndx).sh_size;
}

static tme_status read_symbols(elf_object *o, const char *entry, error *e) {
  unsigned tables = 0;
  for (unsigned i = 0; i < o->sections; i++)
    if (section(o, i).sh_type == SHT_SYMTAB) {
      o->symbols_section = i;
      tables++;
    }
  if (tables != 1) return broken(e, "not one symbol table");
  Elf64_Shdr table = section(o, o->symbols_section);
  if (table.sh_entsize != sizeof(Elf64_Sym) || table.sh_link >= o->sections) return broken(e, "bad symbol table");
  Elf64_Shdr names = section(o, table.sh_link);
  if (names.sh_type != SHT_STRTAB) return broken(e, "no names");
  o->symbols = table.sh_offset;
  o->symbol_count = table.sh_size / sizeof(Elf64_Sym);
  unsigned globals = 0;
  for (uint64_t i = 1; i < o->symbol_count; i++) {
    Elf64_Sym y = symbol_at(o, i);
    unsigned type = ELF64_ST_TYPE(y.st_info);
    if (y.st_shndx == SHN_UNDEF) return broken(e, "an undefined symbol");
    if (type > STT_FILE) return broken(e, "a symbol of a kind that is not allowed");
    if (ELF64_ST_BIND(y.st_info) == STB_LOCAL) continue;
    if (type != STT_FUNC || globals++ || !same_name(o, &names, y.st_name, entry))
      return broken(e, "a global symbol beside the entry");
    if (!placed(o, &y) || y.st_value >= section(o, y.st_shndx).sh_size ||
        !(section(o, y.st_shndx).sh_flags & SHF_EXECINSTR))
      return broken(e, "the entry is not in code");
    o->entry = o->place[y.st_shndx] + y.st_value;
  }
  return globals ? TME_OK : broken(e, "no entry");
}

tme_status elf_open(elf_object *o, const uint8_t *bytes, size_t size, const char *symbol, error *e) {
  *o = (elf_object){.bytes = bytes, .size = size};
  tme_status st = read_header(o, e);
  if (st == TME_OK) st = lay_out(o, e);
  return st == TME_OK ? read_symbols(o, symbol, e) : st;
}

static tme_status link_section(const elf_object *o, const Elf64_Shdr *rela, uint8_t *image, uint64_t base, error *e) {
  Elf64_Shdr target = section(o, rela->sh_info);
  size_t place = o->place[rela->sh_info];
  if (rela->sh_type != SHT_RELA || rela->sh_entsize != sizeof(Elf64_Rela) || rela->sh_link != o->symbols_section ||
      target.sh_type != SHT_PROGBITS)
    return broken(e, "bad relocation table");
  for (uint64_t i = 0; i < rela->sh_size / sizeof(Elf64_Rela); i++) {
    Elf64_Rela r;
    memcpy(&r, o->bytes + rela->sh_offset + i * sizeof r, sizeof r);
    uint64_t index = ELF64_R_SYM(r.r_info);
    if (index >= o->symbol_count || r.r_offset > target.sh_size) return broken(e, "a relocation out of range");
    Elf64_Sym y = symbol_at(o, index);
    if (!placed(o, &y)) return broken(e, "a relocation to something outside");
    uint64_t address = base + o->place[y.st_shndx] + y.st_value + (uint64_t)r.r_addend;
    unsigned kind = (unsigned)ELF64_R_TYPE(r.r_info);
    if (!elf_relocate(o->machine, kind, image, place + r.r_offset, target.sh_size - r.r_offset, base, address))
      return fail(e, TME_ERR_FORMAT, "object: relocation of kind %u is not allowed or does not fit", kind);
  }
  return TME_OK;
}

tme_status elf_link(const elf_object *o, uint8_t *image, uint64_t base, error *e) {
  for (unsigned i = 0; i < o->sections; i++) {
    Elf64_Shdr s = section(o, i);
    if (o->place[i] != SIZE_MAX && s.sh_type == SHT_PROGBITS)
      memcpy(image + o->place[i], o->bytes + s.sh_offset, s.sh_size);
  }
  for (unsigned i = 0; i < o->sections; i++) {
    Elf64_Shdr s = section(o, i);
    if (s.sh_type != SHT_RELA && s.sh_type != SHT_REL) continue;
    if (s.sh_info >= o->sections) return broken(e, "bad relocation table");
    if (o->place[s.sh_info] == SIZE_MAX) continue;
    tme_status st = link_section(o, &s, image, base, e);
    if (st != TME_OK) return st;
  }
  return TME_OK;
}
