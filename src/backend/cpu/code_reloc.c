#include "backend/cpu/code_elf.h"
#include <elf.h>
#include <string.h>

static bool fits(int64_t v, int bits) {
  int64_t limit = (int64_t)1 << (bits - 1);
  return v >= -limit && v < limit;
}

static bool put32(uint8_t *p, uint64_t v) {
  uint32_t low = (uint32_t)v;
  memcpy(p, &low, sizeof low);
  return true;
}

static bool put64(uint8_t *p, uint64_t v) {
  memcpy(p, &v, sizeof v);
  return true;
}

/* Replaces `bits` bits from `shift` on of an instruction. */
static bool put_field(uint8_t *p, uint64_t v, int bits, int shift) {
  uint32_t word, mask = (((uint32_t)1 << bits) - 1) << shift;
  memcpy(&word, p, sizeof word);
  return put32(p, (word & ~mask) | ((uint32_t)v << shift & mask));
}

static bool relocate_x86(unsigned kind, uint8_t *p, size_t room, uint64_t from, uint64_t target) {
  switch (kind) {
  case R_X86_64_NONE: return true;
  case R_X86_64_64: return room >= 8 && put64(p, target);
  case R_X86_64_PC64: return room >= 8 && put64(p, target - from);
  case R_X86_64_PC32:
  case R_X86_64_PLT32: return room >= 4 && fits((int64_t)(target - from), 32) && put32(p, target - from);
  default: return false;
  }
}

static bool put_adr(uint8_t *p, int64_t v) {
  return fits(v, 21) && put_field(p, (uint64_t)v, 2, 29) && put_field(p, (uint64_t)v >> 2, 19, 5);
}

/* The low 12 bits of the address, in units of what is loaded. */
static bool put_low12(uint8_t *p, uint64_t target, int scale) {
  return target % ((uint64_t)1 << scale) == 0 && put_field(p, (target & 0xfff) >> scale, 12, 10);
}

static bool put_branch(uint8_t *p, int64_t distance) {
  return distance % 4 == 0 && fits(distance, 28) && put_field(p, (uint64_t)distance >> 2, 26, 0);
}

static bool relocate_arm(unsigned kind, uint8_t *p, size_t room, uint64_t from, uint64_t target) {
  int64_t distance = (int64_t)(target - from);
  switch (kind) {
  case R_AARCH64_NONE: return true;
  case R_AARCH64_ABS64: return room >= 8 && put64(p, target);
  case R_AARCH64_PREL64: return room >= 8 && put64(p, target - from);
  case R_AARCH64_PREL32: return room >= 4 && fits(distance, 32) && put32(p, target - from);
  default: break;
  }
  if (room < 4 || from % 4 != 0) return false; /* the others patch an instruction */
  switch (kind) {
  case R_AARCH64_ADR_PREL_LO21: return put_adr(p, distance);
  case R_AARCH64_ADR_PREL_PG_HI21: return put_adr(p, (int64_t)((target >> 12) - (from >> 12)));
  case R_AARCH64_ADD_ABS_LO12_NC:
  case R_AARCH64_LDST8_ABS_LO12_NC: return put_low12(p, target, 0);
  case R_AARCH64_LDST16_ABS_LO12_NC: return put_low12(p, target, 1);
  case R_AARCH64_LDST32_ABS_LO12_NC: return put_low12(p, target, 2);
  case R_AARCH64_LDST64_ABS_LO12_NC: return put_low12(p, target, 3);
  case R_AARCH64_LDST128_ABS_LO12_NC: return put_low12(p, target, 4);
  case R_AARCH64_CALL26:
  case R_AARCH64_JUMP26: return put_branch(p, distance);
  default: return false;
  }
}

bool elf_relocate(unsigned machine, unsigned kind, uint8_t *image, size_t at, size_t room, uint64_t base,
                  uint64_t target) {
  return machine == EM_X86_64 ? relocate_x86(kind, image + at, room, base + at, target)
                              : relocate_arm(kind, image + at, room, base + at, target);
}
