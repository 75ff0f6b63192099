/* Which operands of a contraction are multiplied first. */
#include "ir/contract.h"

enum { MOST_OPTIMAL = 8 };

static double size_of(uint64_t set, const double *extent) {
  double size = 1;
  for (; set; set &= set - 1) size *= extent[__builtin_ctzll(set)];
  return size;
}

/* The labels that the product of the operands `part` keeps: those that others, or the result, need. */
static uint64_t kept(const uint64_t *set, int terms, unsigned part, uint64_t out) {
  uint64_t inside = 0, outside = out;
  for (int i = 0; i < terms; i++) *(part >> i & 1 ? &inside : &outside) |= set[i];
  return inside & outside;
}

/* Cheapest way to each subset of operands: as the best of its cuts in two. */
static void optimal(const uint64_t *set, int terms, uint64_t out, const double *extent, uint8_t *cut) {
  double cost[1 << MOST_OPTIMAL];
  uint64_t labels[1 << MOST_OPTIMAL];
  for (unsigned part = 1; part < 1u << terms; part++) {
    labels[part] = kept(set, terms, part, out);
    cost[part] = 0;
    cut[part] = 0;
    if (!(part & (part - 1))) {
      labels[part] = set[__builtin_ctz(part)];
      continue;
    }
    for (unsigned a = (part - 1) & part; a; a = (a - 1) & part) {
      unsigned b = part ^ a;
      if (a < b) continue; /* each cut once */
      double c = cost[a] + cost[b] + size_of(labels[a] | labels[b], extent);
      if (cut[part] && c >= cost[part]) continue;
      cost[part] = c;
      cut[part] = (uint8_t)a;
    }
  }
}

/* The places of operands as pairs are made: `at[i]` is where subset i of the cuts stands. */
typedef struct plan {
  const uint8_t *cut;
  int (*pair)[2];
  int pairs, left;
  unsigned place[MOST_OPTIMAL]; /* the operands that have become the one that stands there */
} plan;

static int find(const plan *p, unsigned part) {
  int i = 0;
  while (p->place[i] != part) i++;
  return i;
}

static void follow(plan *p, unsigned part) {
  if (!p->cut[part]) return;
  unsigned a = p->cut[part], b = part ^ a;
  follow(p, a);
  follow(p, b);
  int to = find(p, a), from = find(p, b);
  p->pair[p->pairs][0] = to;
  p->pair[p->pairs++][1] = from;
  p->place[to] = part;
  p->place[from] = p->place[--p->left];
}

/* What the product of a pair has more elements than both. */
static double growth(const uint64_t *set, int terms, uint64_t out, const double *extent, int a, int b) {
  uint64_t outside = out;
  for (int i = 0; i < terms; i++)
    if (i != a && i != b) outside |= set[i];
  return size_of((set[a] | set[b]) & outside, extent) - size_of(set[a], extent) - size_of(set[b], extent);
}

static void greedy(uint64_t *set, int terms, uint64_t out, const double *extent, int (*pair)[2]) {
  for (int left = terms; left > 1; left--) {
    int to = 0, from = 1;
    double least = growth(set, left, out, extent, 0, 1);
    for (int a = 0; a < left; a++)
      for (int b = a + 1; b < left; b++) {
        double more = growth(set, left, out, extent, a, b);
        if (more >= least) continue;
        least = more;
        to = a;
        from = b;
      }
    uint64_t outside = out;
    for (int i = 0; i < left; i++)
      if (i != to && i != from) outside |= set[i];
    pair[terms - left][0] = to;
    pair[terms - left][1] = from;
    set[to] = (set[to] | set[from]) & outside;
    set[from] = set[left - 1];
  }
}

void contract_order(uint64_t *set, int terms, uint64_t out, const double extent[static MOST_LABELS], int (*pair)[2]) {
  if (terms > MOST_OPTIMAL) {
    greedy(set, terms, out, extent, pair);
    return;
  }
  uint8_t cut[1 << MOST_OPTIMAL];
  plan p = {.cut = cut, .pair = pair, .left = terms};
  optimal(set, terms, out, extent, cut);
  for (int i = 0; i < terms; i++) p.place[i] = 1u << i;
  follow(&p, (1u << terms) - 1);
}
