#!/usr/bin/env bash
# ctest: timeout=600
# Operations and a dtype are added in as many places as CONTRIBUTING.md says: what it shows is added to a copy of the sources,
# which is built, and found in the header, the program, the reference, the JIT and the Python package.
set -euo pipefail
module=$TME_BUILD_DIR/lib/libtme-llvm.so
[ -f "$module" ] || { echo "no module of the compiler"; exit 77; }
# Without -q: a grep that stops reading kills nm, which pipefail takes for "no such symbol".
if nm -D "$module" | grep -E '__(asan|tsan|ubsan)_' >/dev/null; then
  echo "the module has sanitizers, the copy that would open it has not"
  exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$TME_SOURCE_DIR"/{CMakeLists.txt,cmake,include,src,cli,tools,bench,examples,python} "$work"

shown() { # TEXT: the block of code of CONTRIBUTING.md that begins with it
  awk -v begin="$1" '/^```/ { if (found) exit; next } index($0, begin) == 1 { found = 1 } found' "$TME_SOURCE_DIR/CONTRIBUTING.md"
}
add() { # WHERE TEXT [LINE]: that block, before the line that begins so, or as a file
  local block
  block=$(shown "$2")
  [ -n "$block" ] || { echo "CONTRIBUTING.md does not show: $2"; exit 1; }
  if [ -n "${3:-}" ]; then
    printf '%s\n' "$block" >"$work/row"
    awk -v line="$3" -v row="$work/row" \
      '!done && index($0, line) == 1 { while ((getline text <row) > 0) print text; done = 1 } 1' "$work/$1" >"$work/with"
    mv "$work/with" "$work/$1"
    grep -qF "$2" "$work/$1"
  else
    [ ! -e "$work/$1" ]
    printf '%s\n' "$block" >"$work/$1"
  fi
}
add src/ops/rows/elementwise.def 'ELEMENTWISE(ramp' '/* conversion */'
add src/ops/rows/elementwise.def 'DECOMPOSED(standardize' '/* conversion */'
add src/ir/families/standardize.c '/* standardize:'
add src/ops/rows/elementwise.def 'LIBRARY(interp' '/* conversion */'
add src/ir/families/interp.c '/* interp: all operands'
add src/backend/reference/interp.c '/* interp: a search'
add include/tme/tme.h '  TME_F8E3M4' '  TME_DTYPE_COUNT'
add src/base/dtypes.def 'DTYPE(F8E3M4' '#undef DTYPE'
add src/base/half.h 'uint8_t f8e3m4_from_f64(double d);' '#endif'
add src/base/half.c '/* What rounds to more' '/* Beyond 2^53'

# As many parameters and outputs as a row may have, of every kind.
row='LIBRARY(many, "x, a:int=1, b:int, c:int=3, d:float=4.5, e:float=none, f:bool=true, g:number=7, h:number=none, i:ints, '
row+='j:ints=none, k:perdim=none, l:axis=-1, m:axes=none, n:text=none, o:plus|minus|nothing=minus", 8, "x and what was given")'
add_row() { sed -i "s@^/\* conversion \*/@$1\n&@" "$work/src/ops/rows/elementwise.def"; }
add_row "$row"
cat >"$work/src/ir/families/many.c" <<'EOF'
#include "ops/ops.h"

tme_status infer_many(op_call *c, op_type *out, error *e) {
  many_attrs *a = &c->attrs->many;
  if (c->in[0]->rank != 1) return fail(e, TME_ERR_SHAPE, "many: takes vectors");
  tme_status s = infer_axis(c, &a->l, c->in[0]->rank, e);
  if (s == TME_OK) s = infer_axes(c, &a->axes, c->in[0]->rank, false, e);
  infer_want(c, 0, TME_F64);
  for (int i = 0; i < 8; i++) {
    out[i] = *c->in[0];
    out[i].dtype = TME_F64;
  }
  return s;
}
EOF
cat >"$work/src/backend/reference/many.c" <<'EOF'
#include "backend/reference/reference.h"
#include <math.h>
#include <string.h>

static double sum(const op_list *l) {
  double s = l->n;
  for (int i = 0; i < l->n; i++) s += 10 * (double)(i + 1) * (double)l->v[i];
  return s;
}

tme_status ref_many(ref_call *c, error *e) {
  (void)e;
  const many_attrs *a = &c->attrs->many;
  double v[8] = {(double)(a->a + 10 * a->b + 100 * a->c), a->d + (isnan(a->e) ? 100 : a->e),
                 a->f, number_value(&a->g) + (a->h.kind == NUMBER_NONE ? 100 : number_value(&a->h)),
                 sum(&a->i) + 1000 * sum(&a->j), sum(&a->k), (double)a->l + 10 * a->axes.mask,
                 (double)strlen(a->n) + 100 * a->o};
  for (int k = 0; k < 8; k++)
    for (int64_t i = 0; i < type_size(&c->out[k].type); i++) {
      double x;
      memcpy(&x, c->in[0]->data + i * c->in[0]->strides[0] * (int64_t)sizeof x, sizeof x);
      x += v[k];
      memcpy(c->out[k].data + i * (int64_t)sizeof x, &x, sizeof x);
    }
  return TME_OK;
}
EOF

# Several results, made of other operations one by one.
add_row 'DECOMPOSED(least, "x, axis:axis=-1", 2, "the smallest element along an axis, and where it stands")'
cat >"$work/src/ir/families/least.c" <<'EOF'
#include "ir/graph.h"

tme_status infer_least(op_call *c, op_type *out, error *e) {
  tme_status s = infer_axis(c, &c->attrs->least.axis, c->in[0]->rank, e);
  if (s == TME_OK) infer_reduced(c->in[0], 1u << c->attrs->least.axis, false, &out[0]);
  out[0].dtype = c->in[0]->dtype;
  out[1] = out[0];
  out[1].dtype = TME_I64;
  return s;
}

int decompose_least(graph *g, const g_site *s) {
  uint32_t along = 1u << s->attrs->least.axis;
  op_attrs at = {.argreduce = {.axes = axes_from_mask(along)}};
  return s->output ? graph_op(g, OP_argmin, s->in, 1, &at) : graph_reduce(g, OP_min, s->in[0], along, false);
}
EOF

cmake -S "$work" -B "$work/build" -DCMAKE_BUILD_TYPE=Debug -DTME_TESTS=OFF -DTME_LLVM=OFF -DTME_WERROR=ON >"$work/log" 2>&1 &&
  cmake --build "$work/build" -j "$(nproc)" --target product >>"$work/log" 2>&1 || { tail -40 "$work/log"; exit 1; }
cp "$module" "$work/build/lib/" # it knows no operations

passed=0 failed=0
check() { # NAME WANTED GOT
  if [ "$2" = "$3" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf '%s: wanted %s, got %s\n' "$1" "$2" "$3"
  fi
}
tme=$work/build/bin/tme
export XDG_CACHE_HOME=$work/cache
value() { "$tme" --backend "$1" eval "$2" 2>&1 | tail -n 1; }
both() { # NAME WANTED EXPRESSION: by all ways of computing it
  for backend in reference nojit cpu; do check "$1, $backend" "$2" "$(value "$backend" "$3")"; done
  check "$1, compiled" 0 "$("$tme" --backend cpu eval "$3" 2>&1 | grep -c 'without JIT')"
}

for name in ramp standardize interp; do
  check "header: $name" 1 "$(grep -c "tme_$name(tme_scope \*[a-z]*, " "$work/build/include/tme/ops.h")"
  check "list: $name" 0 "$("$tme" ops $name >/dev/null 2>&1; echo $?)"
done
both ramp '[0.         0.16666667 0.5        0.8333333  1.        ]' 'ramp(linspace(-4, 4, 5, dtype=float32))'
both standardize '[-1.3416407 -0.4472136  0.4472136  1.3416407]' 'standardize(astype([1, 2, 3, 4], float32))'
both 'least, both' '[-3.  2.]' 'a, i = least([4.0, 1, -3, 2]); stack([a, astype(i, float32)])'
both 'least, one' '[2 0]' 'a, i = least([[4.0, 1, -3, 2], [0, 1, 2, 3]]); i'
# Three operands that are computed, and a product before and after.
both interp '[0.  0.5 3.  4.  6.  6. ]' \
  'interp(concatenate([[-1.0, 0.5], sqrt([4.0, 9, 25, 36])]), arange(5) * 1.0, arange(5) ** 2 * 0.5 + arange(5) * 0.5 - where(arange(5) > 2, arange(5) - 2.0, 0) * 2)'
region='x = ones([40, 40]); y = interp((x @ x)[0] * 0.1, arange(5) * 1.0, arange(5) * 2.0); sum(reshape(y, [1, 40]) @ x)'
check 'region, value' "$(value reference "$region")" "$(value cpu "$region")"
check 'region, products compiled' 2 "$("$tme" --backend cpu explain "$region" | grep -c '^step.*matmul')"
check 'region, one call' 1 "$("$tme" --backend cpu explain "$region" | grep -c '^step.*library call interp')"

# In Python: as a function, a method and an engine's, with a docstring whose example runs, and with stubs.
if [ -f "$work/build/python/tme/_core.abi3.so" ]; then
  python=$(sed -n 's/^TME_PYTHON_EXECUTABLE:INTERNAL=//p' "$work/build/CMakeCache.txt")
  cat >"$work/row.py" <<'EOF'
import inspect, sys
import doctests, tme
name = sys.argv[1]
text = inspect.getdoc(getattr(tme, name))
there = name in tme.__all__ and hasattr(tme.Array, name) and name in dir(tme.current_engine())
print(there and name in tme._core.operations and "\nParameters\n" in text, doctests.run(text, name, {"tme": tme}))
EOF
  for name in ramp standardize interp many least; do
    check "Python: $name" 'True 1' \
      "$(PYTHONPATH=$work/build/python:$TME_SOURCE_DIR/tests/python "$python" -B "$work/row.py" $name 2>&1)"
    check "stubs: $name" '3 1' "$(grep -c "def $name(" "$work/build/python/tme/_core.pyi") $(
      grep -c "import $name as $name" "$work/build/python/tme/__init__.pyi")"
  done
  check 'Python: a new dtype' '[2.0, 3.0]' "$(
    PYTHONPATH=$work/build/python "$python" -c 'import tme; print((tme.ones(2, dtype="float8_e3m4") + [1, 2]).tolist())' 2>&1)"
fi

# The dtype: conversions both ways, promotion, literals, files, operations of every kind; and what refuses it, by its name.
values='x = astype([1, 1.1, -0.01, 15.7, 15.8, nan], float8_e3m4)'
written() { # NAME WANTED EXPRESSION: dtype and shape
  check "$1" "$2" "$("$tme" eval "$values; $3" 2>&1 | sed -n '1s/.*  //p')"
}
refused() { # NAME WANTED EXPRESSION [OPTION...]
  check "$1" 1 "$("$tme" eval "$3" "${@:4}" 2>&1 | grep -cF "$2")"
}
both 'dtype, printed' '[ 1.    1.12 -0.02 15.5    inf   nan]' "$values; x"
both 'dtype, to float32' '[ 1.        1.125    -0.015625 15.5            inf       nan]' "$values; astype(x, float32)"
both 'dtype, to and from integers' '[ 1.  1.  0. 15. inf  0.]' "$values; astype(astype(x, int32), float8_e3m4)"
line='r = (arange(3101) - 1550) * 0.01; y = astype(astype(r, float8_e3m4), float64)'
both 'dtype, nearest' True "$line; all(abs(y - r) <= maximum(abs(r) * 2.0 ** -5, 2.0 ** -7))"
both 'dtype, both ways' True "$line; all(astype(astype(y, float8_e3m4), float64) == y)"
written 'dtype, itself' 'float8_e3m4 (6,)' 'x * 2'
written 'dtype with int64' 'float8_e3m4 (6,)' 'x + astype([1], int64)'
written 'dtype with float16' 'float16 (6,)' 'x + astype([1], float16)'
written 'dtype with bfloat16' 'bfloat16 (6,)' 'x + astype([1], bfloat16)'
written 'dtype with complex64' 'complex64 (6,)' 'x + astype([1], complex64)'
both 'dtype, sum' 12. 'sum(ones([12], dtype=float8_e3m4))'
both 'dtype, in one expression' '[0.75 1.   3.  ]' 'x = astype([1, 2, 3], float8_e3m4); where(x > 2, x, fma(x, x, x) / (x * 2) - nextafter(x, -x) / 4 + x[0] * 0.0)'
both 'dtype, product' 14. 'x = astype([1, 2, 3], float8_e3m4); x @ x'
both 'dtype, least and most' 2 'x = astype([3, 1, 15.5, -15.5], float8_e3m4); argmax(x) * astype(min(x) + max(x) == 0, int64)'
"$tme" eval "$values; x" -o "$work/x.safetensors" >/dev/null
check 'dtype, from a file' '[2.   2.25]' "$("$tme" eval 'x[:2] * 2' x="$work/x.safetensors" 2>&1 | tail -n 1)"
refused 'dtype, .npy' 'have no float8_e3m4' "$values; x" -o "$work/x.npy"
refused 'dtype, literals' '500 does not fit in float8_e3m4' "$values; x + 500"
left="$("$tme" --backend cpu explain "$values; tanh(astype(x * 2, float32)) + 1")"
check 'dtype, left to the fallback' 3 "$(grep -c 'is left to nojit: float8_e3m4: compiled kernels do not hold it' <<<"$left")"
check 'dtype, the rest compiled' 1 "$(grep -c '^step 0: kernel tanh+add' <<<"$left")"

second='a, b, c, d, e, f, g, h ='
all='concatenate([a[1:], b[1:], c[1:], d[1:], e[1:], f[1:], g[1:], h[1:]])'
given="a=5, b=2, c=12, d=0.5, e=0.5, f=true, g=0.5, h=0.5, i=[], j=[], k=[6], l=0, m=[], n='ij,jk->i', o='nothing'"
both 'many, given' '[1235.   11.   11.   11.   10.   71.   10.  218.]' "$second many(arange(2) + 9.0, $given); $all"
both 'many, defaults' '[ 331.   114.5   11.   117.  -959.     9.    20.   110. ]' \
  "$second many(arange(2) + 9.0, b=2, i=[3]); $all"
refused 'a wrong choice' "many: o is 'minsu', expected one of plus|minus|nothing" "many(arange(2), b=2, i=[3], o='minsu')"
refused 'a long text' 'many: n has more than 127 bytes' "many(arange(2), b=2, i=[3], n='$(printf '%0200d' 0)')"
refused 'no text' 'many: n: a text in quotes expected, got a whole number' 'many(arange(2), b=2, i=[3], n=7)'
# What breaks a limit of a row does not build, and says why.
does_not_build() { # WHAT SIGNATURE OUTPUTS
  cp "$work/src/ops/rows/elementwise.def" "$work/rows.def"
  add_row "LIBRARY(wrong, \"$2\", $3, \"\")"
  check "does not build: $1" 1 "$(cmake --build "$work/build" --target tme_generated 2>&1 | grep -c "ops.def: wrong(.*: $1")"
  mv "$work/rows.def" "$work/src/ops/rows/elementwise.def"
}
does_not_build 'more than 16 parameters' "$(seq -s ', ' -f 'p%g' 17)" 1
does_not_build '9 outputs, expected 1 to 8' x 9
does_not_build "there is no kind 'tensor'" x:tensor 1
does_not_build "'much_too_long_a_name' has 20 characters, expected 1 to 15" much_too_long_a_name 1
does_not_build 'the default of a text is none' 'x, t:text=C' 1
does_not_build 'edges is none of constant|edge' 'x, m:constant|edge=edges' 1
does_not_build "the C function has a 'scope' of its own" 'x, scope:int=1' 1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
