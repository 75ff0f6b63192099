/* How the right operand of a product is read, and so how the product is computed: the first row of a table whose condition
 * holds. No row changes a bit of the result. */
#include "kernel/kernel_util.h"
#include "lower/cpu/product.h"

enum {
  LONG_ROW = 512,          /* columns from which a few rows are summed row by row: */
  MOST_ROWS_UNPACKED = 10, /* so many, where they would need panels otherwise */
  NEAR = 256 << 10,        /* bytes over which a processor translates addresses at once: 64 pages */
  MOST_TASK_PANELS = 4,    /* of a task that packs: neighbours share cache lines */
  MOST_BLOCK_PANELS = 8,   /* the same, of a block of rows */
  FEWEST_BLOCK_PANELS = 4, /* for which blocks are better than panels that an earlier step packs, */
  MOST_PACK_BOUND = 128,   /* except up to so many rows, for which that step takes much of the time */
  MANY_ROWS = 64,          /* that read a band often enough to copy it for the first cache */
  MANY_BLOCKS = 4,         /* from which on copying beside sums gains more than sums that wait cost */
  FEWEST_TASKS = 14        /* that are left where a task packs several panels */
};

/* ---- what is known ----------------------------------------------------------------------------------------------- */

/* Panels that a task packs for itself. */
typedef struct task_packing {
  bool fit;       /* the second cache */
  int64_t kc;     /* rows of the right operand in one */
  int64_t panels; /* of a task */
} task_packing;

typedef struct product_facts {
  bool transposed;            /* neighbouring columns of the right operand are no neighbours in memory */
  bool converted;             /* it is of another dtype than what is summed */
  bool crowded;               /* rows of a band push each other out of the cache, or lie on too many pages */
  task_packing whole, blocks; /* of all rows, of blocks of them */
} product_facts;

bool product_right_strides(product *p, int64_t *column, int64_t *row) {
  builder b;
  const op_type *t = &product_at(p, p->right)->type;
  int ix[TME_MAX_RANK], axis[TME_MAX_RANK];
  *column = *row = 0;
  if (!builder_init(&b, p->l, "probe")) return false;
  for (int d = 0; d < t->rank; d++) {
    axis[d] = t->shape[d] == 1 ? -1 : k_axis_add(b.k, t->shape[d], 0, 1, 1);
    ix[d] = t->shape[d] == 1 ? ix_const(b.k, 0) : ix_axis(b.k, axis[d]);
  }
  builder_value(&b, p->right, ix, -1);
  for (int w = 0; w < 2 && b.k->nacc == 1; w++) {
    int64_t *stride = w ? row : column;
    int a = axis[t->rank - 1 - w];
    if (a < 0 || !ix_affine(b.k, b.k->acc[0].ix, a, stride)) *stride = 0;
  }
  if (b.k->nacc == 0 || axis[t->rank - 1] < 0) *column = 1; /* nothing is loaded, or one column */
  bool ok = !b.k->failed;
  builder_free(&b);
  return ok;
}

/* How many panels a task packs, at most so many: enough tasks are left, the last one has few less, and two threads have as
 * many. A task is a third of a panel's work besides. */
static int64_t panels_of_task(const product *p, int64_t most) {
  bands parts[2];
  product_cut_bands(p, parts);
  int64_t count = parts[0].count, best = 1, lowest = INT64_MAX;
  most = least(most, count * p->batches / FEWEST_TASKS);
  for (int64_t n = most; n > 0; n--) {
    int64_t tasks = ceil_div(count, n) * p->batches, cost = (tasks + tasks % 2) * (3 * n + 1);
    if (cost < lowest) {
      lowest = cost;
      best = n;
    }
  }
  return best;
}

/* Panels of all rows of the right operand: they and the left operand fit the second cache. */
static task_packing whole_panels(product p) {
  span spans[MOST_SPANS];
  p.form = FORM_TASK_PACKED;
  p.kc = p.K;
  p.task_panels = panels_of_task(&p, least(product_l2_half(&p) / band_bytes(&p), MOST_TASK_PANELS));
  product_cut_rows(&p, spans);
  bool fit = spans[0].blocks == 1 && band_bytes(&p) <= product_l2_half(&p);
  return (task_packing){fit, p.kc, p.task_panels};
}

/* Panels of blocks of rows: a block of the left operand, the sums, and the panels each fit half of the second cache, of which
 * there is seldom need for all. Two panels that take turns are small. */
static task_packing panels_of_blocks(product p) {
  span spans[MOST_SPANS];
  int64_t size = (int64_t)tme_dtype_size(p.acc), wide = product_nr(&p);
  p.form = FORM_TASK_BLOCKED;
  p.kc = largest_divisor(p.K, MOST_KC);
  int64_t held =
      task_packs_ahead(&p) ? MOST_BLOCK_PANELS : least(product_l2_half(&p) / (p.kc * wide * size), MOST_BLOCK_PANELS);
  p.task_panels = panels_of_task(&p, held);
  int64_t longer = p.kc > wide * p.task_panels ? p.kc : wide * p.task_panels;
  /* More sections would need more axes than a kernel has. */
  bool fit = p.M * longer * size <= product_l2_half(&p) && product_cut_rows(&p, spans) <= 2 && spans[0].blocks == 1;
  return (task_packing){fit && !p.dot && p.kc < p.K && p.kc >= MOST_KC / 2, p.kc, p.task_panels};
}

/* ---- the conditions ---------------------------------------------------------------------------------------------- */

/* The forms that are timed with every tile (TME_TUNE), of which FORM_TASK_PACKED stands for FORM_TASK_BLOCKED, too. */
static const product_form timed_forms[] = {FORM_DIRECT, FORM_TASK_PACKED, FORM_PACKED};

int product_choices(int registers) { return 1 + tile_count(registers) * COUNT(timed_forms); }

int product_timed_tile(const product *p) { return p->choice ? (p->choice - 1) / COUNT(timed_forms) : -1; }

/* The form that was timed to be the fastest; `usual` where none was timed. */
static product_form timed_form(const product *p, product_form usual) {
  return p->choice ? timed_forms[(p->choice - 1) % COUNT(timed_forms)] : usual;
}

static bool has_long_rows(const product *p, int64_t most_rows) {
  return !p->dot && !p->complex && p->M <= most_rows && p->N >= LONG_ROW;
}

/* No copy of the right operand is needed. */
static bool in_place(const product *p, const product_facts *f) {
  if (p->dot) return false;
  if (p->K <= 1) return true;
  product_form usual = f->converted || f->crowded ? FORM_PACKED : FORM_DIRECT;
  return !p->complex && !f->transposed && timed_form(p, usual) == FORM_DIRECT;
}

static bool few_rows_in_place(const product *p, const product_facts *f) {
  return in_place(p, f) && has_long_rows(p, MOST_MATVEC_ROWS);
}

static bool few_rows(const product *p, const product_facts *f) {
  return !p->choice && !f->transposed && has_long_rows(p, MOST_ROWS_UNPACKED);
}

static bool task_packs(const product *p, const product_facts *f) {
  return !p->complex && !f->transposed && timed_form(p, FORM_TASK_PACKED) != FORM_PACKED;
}

static bool task_packs_whole(const product *p, const product_facts *f) { return task_packs(p, f) && f->whole.fit; }

/* Blocks of more panels rather than whole ones: longer pieces of rows are read faster, and a block of the left operand
 * stays in the first cache. Or of as many, where that hides the copying. */
static bool task_packs_blocks(const product *p, const product_facts *f) {
  if (!task_packs(p, f) || !f->blocks.fit) return false;
  product blocked = *p;
  blocked.form = FORM_TASK_BLOCKED;
  bool hides = p->M <= MOST_COPY_BOUND && task_packs_ahead(&blocked) && p->K / f->blocks.kc >= MANY_BLOCKS;
  int64_t fewest = p->M <= MOST_PACK_BOUND && bands_are_many(p) ? 1 : FEWEST_BLOCK_PANELS;
  if (f->whole.fit) fewest = hides ? f->whole.panels : f->whole.panels + 1;
  return f->blocks.panels >= fewest;
}

static bool always(const product *p, const product_facts *f) {
  (void)p, (void)f;
  return true;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* Figures are those of docs/benchmarks.md: the share of the limit of two cores of Zen 3 (AVX2), of one thread unless it says
 * otherwise. */
static const struct {
  bool (*holds)(const product *p, const product_facts *f);
  product_form form;
  const char *how, *why; /* for people: notes of the program */
} forms[] = {
    /* 1x1024x1024: 78 %, on two threads 89 %. */
    {few_rows_in_place, FORM_MATVEC, "row by row",
     "the right operand is all the work, and is read in long lines, once"},
    /* 128x128: 93 %; 64 products of 64x64x64: 90 %. A prototype on one core with AVX-512, tiles of 6x64: 251, 245, 256, 250 and
     * 242 GFLOP/s of 260 at 64, 128, 256, 512 and 1024. */
    {in_place, FORM_DIRECT, "where the right operand lies", "the cache holds the rows of a band as they lie"},
    /* Measured with 5737aee, which added it: 25 to 50 % faster from memory than over panels. */
    {few_rows, FORM_MATVEC, "row by row", "so few rows are computed sooner than the right operand is copied"},
    /* 32x1024x4096: 81 %, 32x4096x1024: 82 %. Panels without a copy, from the second cache: 86 %. */
    {task_packs_blocks, FORM_TASK_BLOCKED, "over panels of blocks of rows that every task packs",
     "a panel is packed beside the sums over the one before"},
    /* 256x256: 94 %, 100x200x300: 91 %. */
    {task_packs_whole, FORM_TASK_PACKED, "over panels that every task packs",
     "the second cache holds them, and no other task needs them"},
    /* 512x512 and 1024x1024: 95 %, 2048x2048: 94 %. */
    {always, FORM_PACKED, "over panels that an earlier step packs", "all tasks share them"},
};

/* Packs the right operand into panels of NR columns. */
static tme_status pack_right(product *p, bool by_rows, error *e) {
  int rank = product_at(p, p->right)->type.rank;
  p->pack = (packed){.node = p->right,
                     .kdim = rank - 2,
                     .cdim = rank - 1,
                     .lanes = p->lanes,
                     .vectors = p->t.vectors,
                     .K = p->K,
                     .N = p->N,
                     .by_rows = by_rows,
                     .dtype = product_element(p),
                     .dot = p->dot};
  return lower_pack(p->l, &p->pack, e);
}

/* Panels are needed where the right operand is converted or made of pairs, where neighbouring columns are not neighbours in
 * memory, and where the rows of a band would push each other out of the second cache (if many rows go over the band: of the
 * first) or lie on too many pages. */
static product_facts facts_of(product *p, int64_t column, int64_t row, int64_t size) {
  bool near = p->K * row * size <= NEAR && p->K * row * size >= -NEAR;
  bool for_l1 = p->M >= MANY_ROWS && bands_are_many(p);
  const cache_level *cache = for_l1 ? &product_cpu(p)->l1 : &product_cpu(p)->l2;
  return (product_facts){.transposed = column != 1 && p->M > 1,
                         .converted = product_source(p, p->right) != p->right && p->M > MOST_MATVEC_ROWS,
                         .crowded = p->M > MOST_MATVEC_ROWS &&
                                    !(near && cache_holds(cache, p->K, product_nr(p) * size, row * size)),
                         .whole = whole_panels(*p),
                         .blocks = panels_of_blocks(*p)};
}

static void note(const product *p, int chosen) {
  char shape[SHAPE_TEXT];
  const g_node *n = product_at(p, p->node);
  type_shape_text(&n->type, shape);
  text_add(&p->l->p->notes, "%%%d %s %s %s is computed %s: %s\n", p->node, op_name(n->op),
           tme_dtype_name(n->type.dtype), shape, forms[chosen].how, forms[chosen].why);
}

tme_status product_choose_form(product *p, error *e) {
  const g_node *source = product_at(p, product_source(p, p->right));
  int64_t column, row, size = (int64_t)tme_dtype_size(dtype_real(source->type.dtype));
  if (!product_right_strides(p, &column, &row)) return fail_memory(e, "matmul", sizeof(kernel));
  p->aligned = row && row * size % CACHE_LINE == 0;
  product_facts f = facts_of(p, column, row, size);
  int i = 0;
  while (!forms[i].holds(p, &f)) i++;
  p->form = forms[i].form;
  note(p, i);
  if (p->form == FORM_TASK_PACKED || p->form == FORM_TASK_BLOCKED) {
    const task_packing *t = p->form == FORM_TASK_PACKED ? &f.whole : &f.blocks;
    p->kc = t->kc;
    p->task_panels = t->panels;
  }
  if (p->aligned && in_place(p, &f)) tile_align(p, size);
  return p->form == FORM_PACKED ? pack_right(p, column == 1, e) : TME_OK;
}
