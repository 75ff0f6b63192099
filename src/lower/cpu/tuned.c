/* A list of products and of how they are made. */
#include "lower/cpu/tuned.h"
#include "base/grow.h"
#include <string.h>

const tuned_product *tuned_find(const tuned_products *t, const product_class *c) {
  for (int i = 0; i < t->n; i++)
    if (memcmp(&t->list[i].c, c, sizeof *c) == 0) return &t->list[i];
  return NULL;
}

bool tuned_add(tuned_products *t, const product_class *c, int choice) {
  if (!grow(&t->list, &t->cap, t->n + 1, sizeof *t->list)) return false;
  t->list[t->n++] = (tuned_product){*c, choice};
  return true;
}

void tuned_free(tuned_products *t) {
  mem_free(t->list);
  *t = (tuned_products){0};
}
