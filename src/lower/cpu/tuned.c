/* A list of products and of how they are made. */
#include "lower/cpu/tuned.h"
#include <string.h>

const tuned_product *tuned_find(const tuned_products *t, const product_class *c) {
  for (int i = 0; i < t->n; i++)
    if (memcmp(&t->list[i].c, c, sizeof *c) == 0) return &t->list[i];
  return NULL;
}

bool tuned_add(tuned_products *t, const product_class *c, int choice) {
  if (t->n == t->cap) {
    int cap = t->cap ? 2 * t->cap : 8;
    tuned_product *p = mem_realloc(t->list, (size_t)cap * sizeof *p);
    if (!p) return false;
    t->list = p;
    t->cap = cap;
  }
  t->list[t->n++] = (tuned_product){*c, choice};
  return true;
}

void tuned_free(tuned_products *t) {
  mem_free(t->list);
  *t = (tuned_products){0};
}
