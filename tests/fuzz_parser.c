/* libFuzzer's target for the expression language: text to a tree whose places lie within the text, or a problem there. */
#include "../cli/expr.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_nodes(const node *n, size_t len) {
  for (; n; n = n->next) {
    if (n->at > n->end || n->end > len) abort();
    if (n->name && n->name_len == 0 && n->kind != NODE_TEXT) abort();
    check_nodes(n->child, len);
    for (int i = 0; i < 3; i++) check_nodes(n->bound[i], len);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *source = malloc(size + 1); /* of the very size, so that the sanitizer sees the end */
  if (!source) return 0;
  memcpy(source, data, size);
  source[size] = 0;
  size_t len = strlen(source);
  arena memory = {0};
  problem p = {0};
  const statement *program = parse(&memory, source, &p);
  if (!program && (!p.set || !p.text[0] || (p.placed && p.at > len))) abort();
  if (program && p.set) abort();
  for (; program; program = program->next) {
    check_nodes(program->targets, len);
    check_nodes(program->value, len);
  }
  arena_free(&memory);
  free(source);
  return 0;
}
