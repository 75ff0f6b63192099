/* Files that claim more than they hold, or the same twice: what is read takes memory in proportion to what is asked for,
 * and what the formats forbid is refused. */
#include "io/formats.h"
#include "io/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <zlib.h>

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static void put_le(text *t, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) text_bytes(t, &(char){(char)(v >> (8 * i) & 0xff)}, 1);
}

/* A .npy with `size` bytes of elements 7 behind a header of that version. */
static text npy(const char *header, int version, size_t size) {
  text t = {0};
  text_bytes(&t, "\x93NUMPY", 6);
  put_le(&t, (uint64_t)version, 2);
  put_le(&t, strlen(header), version == 1 ? 2 : 4);
  text_add(&t, "%s", header);
  for (size_t i = 0; i < size; i++) text_bytes(&t, "\7", 1);
  return t;
}

#define U1(shape) "{'descr': '|u1', 'fortran_order': False, 'shape': " shape "}"

typedef struct member {
  const char *name;
  text body;
  size_t zeros; /* that follow the body */
  bool deflate;
  int64_t place; /* >= 0: where its header lies, which is not written */
} member;

static text deflated(const member *m) {
  static const uint8_t zeros[1 << 16];
  text out = {0};
  uint8_t some[1 << 12];
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  size_t left = m->zeros;
  z.next_in = (Bytef *)m->body.s;
  z.avail_in = (uInt)m->body.len;
  for (int got = Z_OK; got != Z_STREAM_END;) {
    if (!z.avail_in && left) {
      z.avail_in = (uInt)(left < sizeof zeros ? left : sizeof zeros);
      z.next_in = (Bytef *)(uintptr_t)zeros;
      left -= z.avail_in;
    }
    z.next_out = some;
    z.avail_out = sizeof some;
    got = deflate(&z, left || z.avail_in ? Z_NO_FLUSH : Z_FINISH);
    text_bytes(&out, some, sizeof some - z.avail_out);
  }
  deflateEnd(&z);
  return out;
}

static text zip(const member *m, int n) {
  text t = {0}, directory = {0};
  for (int i = 0; i < n; i++) {
    text packed = {0};
    if (m[i].deflate) packed = deflated(&m[i]);
    const text *data = m[i].deflate ? &packed : &m[i].body;
    size_t name = strlen(m[i].name), size = m[i].body.len + m[i].zeros,
           place = m[i].place >= 0 ? (size_t)m[i].place : t.len;
    uint64_t crc = crc32(0, (const Bytef *)m[i].body.s, (uInt)m[i].body.len);
    if (m[i].place < 0) {
      put_le(&t, 0x04034b50, 4);
      put_le(&t, 20, 4);
      put_le(&t, m[i].deflate ? 8 : 0, 2);
      put_le(&t, 0, 4), put_le(&t, crc, 4), put_le(&t, data->len, 4), put_le(&t, size, 4);
      put_le(&t, name, 4);
      text_add(&t, "%s", m[i].name);
      text_bytes(&t, data->s, data->len);
    }
    put_le(&directory, 0x02014b50, 4);
    put_le(&directory, 20, 4), put_le(&directory, 0, 2), put_le(&directory, m[i].deflate ? 8 : 0, 2);
    put_le(&directory, 0, 4), put_le(&directory, crc, 4), put_le(&directory, data->len, 4);
    put_le(&directory, size, 4), put_le(&directory, name, 4), put_le(&directory, 0, 8), put_le(&directory, 0, 2);
    put_le(&directory, place, 4);
    text_add(&directory, "%s", m[i].name);
    text_free(&packed);
  }
  size_t at = t.len;
  text_bytes(&t, directory.s, directory.len);
  put_le(&t, 0x06054b50, 4);
  put_le(&t, 0, 4), put_le(&t, (uint64_t)n, 2), put_le(&t, (uint64_t)n, 2);
  put_le(&t, directory.len, 4), put_le(&t, at, 4), put_le(&t, 0, 2);
  text_free(&directory);
  return t;
}

static text safetensors(const char *header, size_t data) {
  text t = {0};
  put_le(&t, strlen(header), 8);
  text_add(&t, "%s", header);
  for (size_t i = 0; i < data; i++) text_bytes(&t, &(char){(char)i}, 1);
  return t;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static tme_status parse(io_format f, const text *t, const char *only, bool one, io_list *l, error *e) {
  io_bytes *b = io_bytes_new(t->len);
  assert_true(b && !t->failed);
  memcpy(b->data, t->s, t->len);
  *e = (error){0};
  tme_status s = io_parse(f, "mem", b, only, one, l, e);
  io_bytes_release(b);
  return s;
}

static void reads(io_format f, const text *t, const char *only, io_list *l) {
  error e;
  if (parse(f, t, only, false, l, &e) != TME_OK) fail_msg("%s", e.text);
}

static void refuses(io_format f, const text *t, const char *only, const char *words) {
  error e;
  io_list l;
  assert_int_not_equal(parse(f, t, only, false, &l, &e), TME_OK);
  if (!strstr(e.text, words)) fail_msg("'%s', expected '%s'", e.text, words);
}

static long peak_mb(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_maxrss >> 10;
}

static int after(void **state) {
  (void)state;
  return mem_live() == 0 ? 0 : -1;
}

/* ---- .npz -------------------------------------------------------------------------------------------------------- */

/* A small array with 256 MB of zeros behind it, in 256 KB. */
static void inflates_what_the_array_needs(void **state) {
  (void)state;
  member m = {"a.npy", npy(U1("(72,)"), 1, 72), (size_t)256 << 20, true, -1};
  text t = zip(&m, 1);
  long before = peak_mb();
  io_list l;
  reads(IO_NPZ, &t, "a", &l);
  assert_int_equal(l.a[0].shape[0], 72);
  assert_int_equal(l.a[0].data[71], 7);
  io_list_free(&l);
  if (peak_mb() - before > 32) fail_msg("%ld MB for 72 bytes", peak_mb() - before);
  text_free(&t);
  text_free(&m.body);
}

static void bounds_headers(void **state) {
  (void)state;
  /* Versions 2 and 3 have headers of up to 4 GB; 64 MB of spaces are an array's as little. */
  for (int deflate = 0; deflate < 2; deflate++) {
    text body = {0};
    text_bytes(&body, "\x93NUMPY\2\0", 8);
    put_le(&body, 64 << 20, 4);
    member m = {"a.npy", body, deflate ? (size_t)80 << 20 : 0, deflate, -1};
    text t = zip(&m, 1);
    refuses(IO_NPZ, &t, "a",
            deflate ? "a .npy header of 67108864 bytes, expected at most 65536" : "truncated .npy header");
    text_free(&t);
    text_free(&m.body);
  }
  static const char *const shapes[] = {U1("(4294967296, 4294967296)"), U1("(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"),
                                       U1("(9223372036854775807,)"), U1("(4294967295,)")};
  static const char *const words[] = {"more elements than fit", "more than 16 dimensions",
                                      "truncated: expected 9223372036854775807 bytes",
                                      "truncated: expected 4294967295"};
  for (int i = 0; i < COUNT(shapes); i++)
    for (int deflate = 0; deflate < 2; deflate++) {
      member m = {"a.npy", npy(shapes[i], 1, 9), 0, deflate, -1};
      text t = zip(&m, 1);
      refuses(IO_NPZ, &t, NULL, words[i]);
      text_free(&t);
      text_free(&m.body);
    }
}

static void last_of_equal_names(void **state) {
  (void)state;
  const member m[] = {{"a.npy", npy(U1("(1,)"), 1, 1), 0, false, -1}, {"b.npy", npy(U1("(2,)"), 1, 2), 0, true, -1},
                      {"a.npy", npy(U1("(3,)"), 1, 3), 0, true, -1},  {"c", npy(U1("(4,)"), 1, 4), 0, true, -1},
                      {"c.npy", npy(U1("(5,)"), 1, 5), 0, true, -1},  {"c", npy(U1("(6,)"), 1, 6), 0, false, -1},
                      {"d", npy(U1("(7,)"), 1, 7), 0, false, -1},     {"d", npy(U1("(8,)"), 1, 8), 0, true, -1},
                      {"notes", npy("", 1, 0), 0, true, -1},          {"short", {0}, 0, false, -1}};
  const int arrays = COUNT(m) - 2;
  text t = zip(m, arrays);
  static const char *const names[] = {"b", "a", "c", "d"};
  static const int64_t sizes[] = {2, 3, 5, 8};
  io_list l;
  reads(IO_NPZ, &t, NULL, &l);
  assert_int_equal(l.n, COUNT(names));
  io_list_free(&l);
  for (int i = 0; i < COUNT(names); i++) {
    reads(IO_NPZ, &t, names[i], &l);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.a[0].name, names[i]);
    assert_int_equal(l.a[0].shape[0], sizes[i]);
    io_list_free(&l);
  }
  text_free(&t);
  /* What begins as an array does is taken for one. */
  t = zip(m, COUNT(m));
  refuses(IO_NPZ, &t, "notes", "array 'notes': bad .npy header");
  refuses(IO_NPZ, &t, "short", "holds no array named 'short'");
  text_free(&t);
  for (int i = 0; i < COUNT(m); i++) text_free((text *)(uintptr_t)&m[i].body);
}

/* A member whose elements are another member. */
static void overlapping_members(void **state) {
  (void)state;
  text inner = npy(U1("(1000,)"), 1, 1000);
  member b = {"b.npy", inner, 0, false, -1};
  text inner_zip = zip(&b, 1);
  size_t whole = 30 + 5 + inner.len;
  char header[100];
  snprintf(header, sizeof header, U1("(%zu,)"), whole);
  text outer = npy(header, 1, 0);
  size_t head = outer.len;
  text_bytes(&outer, inner_zip.s, whole);
  const member m[] = {{"a.npy", outer, 0, false, -1}, {"b.npy", inner, 0, false, (int64_t)(30 + 5 + head)}};
  text t = zip(m, 2);
  refuses(IO_NPZ, &t, NULL, "overlap");
  io_list l;
  reads(IO_NPZ, &t, "b", &l);
  assert_int_equal(l.a[0].shape[0], 1000);
  io_list_free(&l);
  text_free(&t);
  text_free(&outer);
  text_free(&inner);
  text_free(&inner_zip);
}

/* To say which arrays there are, none is read. */
static void names_alone(void **state) {
  (void)state;
  enum { MANY = 20 };
  static member m[MANY];
  static char names[MANY][8];
  text body = npy(U1("(16777216,)"), 1, 0);
  text header = {0};
  for (int i = 0; i < MANY; i++) {
    snprintf(names[i], sizeof names[i], "%c.npy", 'a' + i);
    m[i] = (member){names[i], body, 16 << 20, true, -1};
    text_add(&header, "%s\"%c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i ? "," : "{", 'a' + i, i,
             i + 1);
  }
  text_add(&header, "}");
  text files[] = {zip(m, MANY), safetensors(header.s, MANY)};
  long before = peak_mb();
  for (int f = 0; f < 2; f++) {
    error e;
    io_list l;
    assert_int_equal(parse(f ? IO_SAFETENSORS : IO_NPZ, &files[f], NULL, true, &l, &e), TME_OK);
    assert_int_equal(l.n, IO_NAMES);
    assert_int_equal(l.more, MANY - IO_NAMES);
    assert_string_equal(l.a[7].name, "h");
    assert_null(l.a[7].data);
    io_list_free(&l);
    text_free(&files[f]);
  }
  if (peak_mb() - before > 32) fail_msg("%ld MB for names", peak_mb() - before);
  text_free(&header);
  text_free(&body);
}

/* ---- .safetensors ------------------------------------------------------------------------------------------------ */

static void data_without_gaps(void **state) {
  (void)state;
#define E(name, n, from, to) "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" n "],\"data_offsets\":[" from "," to "]}"
  static const struct {
    const char *header, *words;
  } rows[] = {
      {"{" E("a", "4", "0", "4") "," E("b", "4", "4", "8") "}", NULL},
      {"{" E("b", "4", "4", "8") "," E("a", "4", "0", "4") "," E("z", "0", "4", "4") "}", NULL},
      {"{" E("a", "8", "0", "8") "," E("z", "0", "8", "8") "}  \n\t ", NULL},
      {"{" E("a", "4", "0", "4") "," E("b", "5", "3", "8") "}", "array 'b': data_offsets [3, 8] overlap"},
      {"{" E("a", "8", "0", "8") "," E("b", "8", "0", "8") "}", "overlap the array before"},
      {"{" E("a", "8", "0", "8") "," E("z", "0", "4", "4") "}", "overlap"},
      {"{" E("a", "3", "0", "3") "," E("b", "4", "4", "8") "}", "array 'b': data_offsets [4, 8] leave a gap behind"},
      {"{" E("a", "7", "1", "8") "}", "leave a gap"},
      {"{" E("a", "7", "0", "7") "}", "the arrays end at byte 7 of 8 bytes of data"},
      {"{}", "the arrays end at byte 0 of 8"},
      {"{" E("w", "4", "0", "4") "," E("\\u0077", "4", "4", "8") "}", "array 'w': its name is a duplicate"},
      {"{" E("a", "4", "0", "4") "," E("b", "4", "4", "8") ",}", "a string"},
      {"{" E("a", "8", "0", "8") "", "'}'"},
      {"{" E("\\ud800", "8", "0", "8") "}", "a valid escape"},
      {"{" E("\\q", "8", "0", "8") "}", "a valid escape"},
      {"{" E("a\tb", "8", "0", "8") "}", "no control character"},
      {"{" E("a", "08", "0", "8") "}", "a value"},
      {"{" E("a", "8", "0", "8e0") "}", "no 'data_offsets'"},
      {"{" E("a", "99999999999999999999", "0", "8") "}", "64 bits"},
  };
#undef E
  for (int i = 0; i < COUNT(rows); i++) {
    text t = safetensors(rows[i].header, 8);
    io_list l;
    if (rows[i].words) {
      refuses(IO_SAFETENSORS, &t, NULL, rows[i].words);
      refuses(IO_SAFETENSORS, &t, "a", rows[i].words); /* whichever array is asked for */
    } else {
      reads(IO_SAFETENSORS, &t, "a", &l);
      assert_int_equal(l.a[0].data[1], 1);
      io_list_free(&l);
    }
    text_free(&t);
  }
}

static void names_with_escapes(void **state) {
  (void)state;
  text t = safetensors("{\"\\u00e9\\ud83d\\ude00\\n\\/\":{\"shape\":[8],\"more\":[{\"x\":[1,-2.5e+3,null,true]},\"\"],"
                       "\"dtype\":\"\\u0055\\u0038\",\"data_offsets\":[0,8]},\"__metadata__\":{\"a\":\"b\"}}",
                       8);
  static const char name[] = "\xc3\xa9\xf0\x9f\x98\x80\n/";
  io_list l;
  reads(IO_SAFETENSORS, &t, name, &l);
  assert_string_equal(l.a[0].name, name);
  io_list_free(&l);
  refuses(IO_SAFETENSORS, &t, "__metadata__", "holds no array");
  text_free(&t);
}

/* As many entries as fit: memory is in proportion to the header, and a name is found. */
static void large_header(void **state) {
  (void)state;
  enum { MANY = 200000 };
  text header = {0};
  for (int i = 0; i < MANY; i++)
    text_add(&header, "%s\"%06d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i ? "," : "{", i, i,
             i + 1);
  text_add(&header, "}");
  text t = safetensors(header.s, MANY);
  io_list l;
  error e;
  long before = peak_mb(), size = (long)(header.len >> 20);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(parse(IO_SAFETENSORS, &t, i ? "123456" : NULL, true, &l, &e), TME_OK);
    if (i) assert_int_equal(l.a[0].data[0], 123456 & 0xff);
    if (!i) assert_int_equal(l.n + l.more, MANY);
    io_list_free(&l);
  }
  if (peak_mb() - before > 12 * size) fail_msg("%ld MB for a header of %ld MB", peak_mb() - before, size);
  text_free(&t);
  text_free(&header);
  /* Longer than the format allows, in a file that has as many bytes. */
  io_bytes *b = io_bytes_new(100000009);
  assert_non_null(b);
  const uint64_t longest = 100000001;
  memcpy(b->data, &longest, 8);
  e = (error){0};
  assert_int_equal(io_parse(IO_SAFETENSORS, "mem", b, NULL, false, &l, &e), TME_ERR_FORMAT);
  assert_non_null(strstr(e.text, "a header of 100000001 bytes, expected at most 100000000"));
  io_bytes_release(b);
}

static void deep_values(void **state) {
  (void)state;
  for (int deep = 10; deep <= 50000; deep *= 5000) {
    text h = {0};
    text_add(&h, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":");
    for (int i = 0; i < deep; i++) text_add(&h, i % 2 ? "[" : "{\"k\":");
    text_add(&h, "0");
    for (int i = deep; i-- > 0;) text_add(&h, i % 2 ? "]" : "}");
    text_add(&h, "}}");
    text t = safetensors(h.s, 1);
    io_list l;
    if (deep == 10) {
      reads(IO_SAFETENSORS, &t, "a", &l);
      io_list_free(&l);
    } else {
      refuses(IO_SAFETENSORS, &t, "a", "less deeply nested values");
    }
    text_free(&t);
    text_free(&h);
  }
}

#define TEST(f) cmocka_unit_test_teardown(f, after)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(inflates_what_the_array_needs),
                                     TEST(bounds_headers),
                                     TEST(last_of_equal_names),
                                     TEST(overlapping_members),
                                     TEST(names_alone),
                                     TEST(data_without_gaps),
                                     TEST(names_with_escapes),
                                     TEST(large_header),
                                     TEST(deep_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
