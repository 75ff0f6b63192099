/* The functions of MLX, by the regions they compute: a bounded cache. MLX's own has no bound; what leaves this one is
 * erased there. */
#ifndef TME_MLX_CACHE_H
#define TME_MLX_CACHE_H

#include "backend/mlx/module.h"

typedef struct mlx_cache mlx_cache;
typedef struct mlx_entry mlx_entry;

/* All that decides a function. */
typedef struct mlx_key {
  char *bytes;
  size_t size;
} mlx_key;
bool mlx_key_make(mlx_key *k, const graph *region); /* false: out of memory */
void mlx_key_free(mlx_key *k);

mlx_cache *mlx_cache_new(const mlx_module *m, const mlx_options *o, size_t bytes, error *e);
void mlx_cache_free(mlx_cache *c); /* NULL is allowed */
/* The function of a region, made where it is not there; one reference is the caller's. */
mlx_entry *mlx_cache_get(mlx_cache *c, const mlx_key *k, const graph *region, error *e);
void mlx_entry_release(mlx_entry *f); /* NULL is allowed */
/* Takes over the inputs. */
tme_status mlx_entry_run(mlx_cache *c, mlx_entry *f, const mlx_input *in, const uint64_t *args, mlx_output *out,
                         error *e);
/* Compiles a 2x2 product around the cache. */
void mlx_cache_self_test(mlx_cache *c, error *e);
void mlx_cache_stats(mlx_cache *c, tme_stats *out);
void mlx_cache_clear(mlx_cache *c);

#endif
