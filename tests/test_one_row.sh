#!/usr/bin/env bash
# ctest: timeout=600
# Operations are added in as many places as CONTRIBUTING.md says: what it shows is added to a copy of the sources, which is
# built, and found in the header, the program, the reference and the JIT.
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
cp -r "$TME_SOURCE_DIR"/{CMakeLists.txt,cmake,include,src,cli,tools,bench,examples} "$work"

shown() { # TEXT: the block of code of CONTRIBUTING.md that begins with it
  awk -v begin="$1" '/^```/ { if (found) exit; next } index($0, begin) == 1 { found = 1 } found' "$TME_SOURCE_DIR/CONTRIBUTING.md"
}
add() { # WHERE TEXT: that block, to the list of operations (which ends with #undef) or as a file
  local block
  block=$(shown "$2")
  [ -n "$block" ] || { echo "CONTRIBUTING.md does not show: $2"; exit 1; }
  if [ "$1" = src/ops/ops.def ]; then
    printf '%s\n' "$block" >"$work/row"
    sed -i "/^\/\* conversion \*\//{
      r $work/row
      N
    }" "$work/$1"
    grep -qF "$2" "$work/$1"
  else
    [ ! -e "$work/$1" ]
    printf '%s\n' "$block" >"$work/$1"
  fi
}
add src/ops/ops.def 'ELEMENTWISE(hardsigmoid'
add src/ops/ops.def 'DECOMPOSED(standardize'
add src/ir/families/standardize.c '/* standardize:'
add src/ops/ops.def 'LIBRARY(interp'
add src/ir/families/interp.c '/* interp: all operands'
add src/backend/reference/interp.c '/* interp: a search'

cmake -S "$work" -B "$work/build" -DCMAKE_BUILD_TYPE=Debug -DTME_TESTS=OFF -DTME_LLVM=OFF -DTME_WERROR=ON >"$work/log" 2>&1 &&
  cmake --build "$work/build" -j "$(nproc)" --target tme_program >>"$work/log" 2>&1 || { tail -40 "$work/log"; exit 1; }
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

for name in hardsigmoid standardize interp; do
  check "header: $name" 1 "$(grep -c "tme_$name(tme_scope \*s, " "$work/build/include/tme/ops.h")"
  check "list: $name" 0 "$("$tme" ops $name >/dev/null 2>&1; echo $?)"
done
both hardsigmoid '[0.         0.16666667 0.5        0.8333333  1.        ]' 'hardsigmoid(linspace(-4, 4, 5, dtype=float32))'
both standardize '[-1.3416407 -0.4472136  0.4472136  1.3416407]' 'standardize(astype([1, 2, 3, 4], float32))'
# Three operands that are computed, and a product before and after.
both interp '[0.  0.5 3.  4.  6.  6. ]' \
  'interp(concatenate([[-1.0, 0.5], sqrt([4.0, 9, 25, 36])]), arange(5) * 1.0, arange(5) ** 2 * 0.5 + arange(5) * 0.5 - where(arange(5) > 2, arange(5) - 2.0, 0) * 2)'
region='x = ones([40, 40]); y = interp((x @ x)[0] * 0.1, arange(5) * 1.0, arange(5) * 2.0); sum(reshape(y, [1, 40]) @ x)'
check 'region, value' "$(value reference "$region")" "$(value cpu "$region")"
check 'region, products compiled' 2 "$("$tme" --backend cpu explain "$region" | grep -c '^step.*matmul')"
check 'region, one call' 1 "$("$tme" --backend cpu explain "$region" | grep -c '^step.*library call interp')"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
