#!/usr/bin/env bash
# ctest: timeout=600
# An elementwise operation is one row of ops.def: adds one to a copy of the sources, builds that, and finds it in the
# header, the program, the reference and the JIT. CONTRIBUTING.md shows the same row.
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
row=$(sed -n '/^ELEMENTWISE(hardsigmoid/,/^```/p' "$TME_SOURCE_DIR/CONTRIBUTING.md" | sed '/^```/d')
[ -n "$row" ] || { echo "CONTRIBUTING.md shows no row"; exit 1; }
printf '%s\n' "$row" >"$work/row"
sed -i "/^\/\* parts of complex numbers/{
  r $work/row
  N
}" "$work/src/ops/ops.def"
grep -q hardsigmoid "$work/src/ops/ops.def"

cmake -S "$work" -B "$work/build" -DCMAKE_BUILD_TYPE=Debug -DTME_TESTS=OFF -DTME_LLVM=OFF >"$work/log" 2>&1 &&
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
check header 1 "$(grep -c 'tme_hardsigmoid(tme_scope \*s, tme_array \*x);' "$work/build/include/tme/ops.h")"
check list 0 "$("$tme" ops hardsigmoid >/dev/null 2>&1; echo $?)"
values() { "$tme" "$@" eval 'hardsigmoid(linspace(-4, 4, 5, dtype=float32))' | tail -n 1; }
check reference '[0.         0.16666667 0.5        0.8333333  1.        ]' "$(values --backend reference)"
check jit "$(values --backend reference)" "$(values --backend cpu)"
check compiled 0 "$("$tme" --backend cpu eval 'hardsigmoid(linspace(-4, 4, 5))' 2>&1 | grep -c 'without JIT')"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
