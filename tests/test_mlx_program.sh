#!/usr/bin/env bash
# The MLX backend as the program shows it: without g++, with a broken one, with another version, its temporary files.
# ctest: mlx timeout=300
set -uo pipefail

tme=$TME_PROGRAM
if [[ ! -e $TME_BUILD_DIR/lib/libtme-mlx.so ]]; then
  echo "the module of MLX was not built: skipped"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
export TME_BACKEND=mlx

# check NAME COMMAND...: one test case; its output is shown when it fails.
check() {
  if (set -e; "${@:2}") >"$work/log" 2>&1; then
    echo "ok - $1"
    passed=$((passed + 1))
  else
    echo "not ok - $1"
    cat "$work/log"
    failed=$((failed + 1))
  fi
}

status_holds() {
  local words=$1
  shift
  "$@" "$tme" status >"$work/status" 2>&1 || true
  cat "$work/status"
  grep -q -- "$words" "$work/status"
}

expression='x = reshape(arange(12, dtype=float32), (3, 4)) / 7; gelu(x @ x.T + 1)'
evaluate() { "$@" "$tme" eval --json "$expression"; }

# The same numbers within 1e-5 as the reference.
agrees() {
  TME_BACKEND=reference "$tme" eval --json "$expression" >"$work/want"
  evaluate "$@" 2>"$work/warnings" >"$work/got"
  cat "$work/warnings"
  python3 - "$work/want" "$work/got" <<'PY'
import json, sys
def flat(v):
    return [x for y in v for x in flat(y)] if isinstance(v, list) else [v]
want, got = (flat(json.load(open(p))["results"][0]["values"]) for p in sys.argv[1:])
assert len(want) == len(got) == 9 and all(abs(a - b) <= 1e-5 * abs(a) for a, b in zip(want, got)), (want, got)
PY
}

check "active" status_holds "active" env
check "the values of the reference" agrees env
check "uncompiled" agrees env TME_MLX_COMPILE=0
check "a device of that name" agrees env -u TME_BACKEND TME_DEVICE=mlx

mkdir "$work/empty" "$work/broken" "$work/dead"
printf '#!/bin/sh\nexit 1\n' >"$work/dead/g++"
chmod +x "$work/dead/g++"
check "g++ --version fails: the reason" status_holds "g++, whose --version fails" env PATH="$work/dead:$PATH"
check "g++ --version fails: uncompiled values" agrees env PATH="$work/dead:$PATH"
printf '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "broken on purpose" >&2\nexit 1\n' >"$work/broken/g++"
chmod +x "$work/broken/g++"
check "no g++: disabled" status_holds "disabled" env PATH="$work/empty"
check "no g++: the reason" status_holds "g++, which is not found" env PATH="$work/empty"
check "no g++: uncompiled values" agrees env PATH="$work/empty"
check "g++ fails: error" status_holds "error" env PATH="$work/broken:$PATH"
check "g++ fails: the reason" status_holds "broken on purpose" env PATH="$work/broken:$PATH"
check "g++ fails: answered" agrees env PATH="$work/broken:$PATH"
warned() { grep -c "the mlx backend failed, cpu answers" "$work/warnings" | grep -x 1 >/dev/null; }
check "g++ fails: one warning" warned

mkdir "$work/tmp"
no_files() {
  evaluate env TMPDIR="$work/tmp"
  [[ -z $(ls -A "$work/tmp") ]]
}
check "no temporary file stays" no_files

# A copy of the program with a module that was built against another version.
mkdir -p "$work/other/bin" "$work/other/lib"
cp "$tme" "$work/other/bin/"
cp -P "$TME_BUILD_DIR"/lib/libtme.so* "$TME_BUILD_DIR"/lib/libtme-llvm.so "$work/other/lib/" 2>/dev/null
cp "$TME_BUILD_DIR/tests/mlx-other/libtme-mlx.so" "$work/other/lib/"
tme=$work/other/bin/tme
check "another version: refused" status_holds "built against MLX 0.0.0, the library that it finds is" env
check "another version: answered" agrees env
rm "$work/other/lib/libtme-mlx.so"
check "no module: the reason" status_holds "the backend mlx is not there" env
check "no module: answered" agrees env

# "before" and "after" of the benchmark.
tme=$TME_PROGRAM
bench() {
  "$tme" bench --quick --no-cblas --only 'gelu*' --json >"$work/bench"
  python3 -c "
import json, sys
rows = json.load(open(sys.argv[1]))
assert rows and all(r['ms_nojit'] > 0 and r['ms_jit'] > 0 and r['max_rel_error'] < 1e-4 for r in rows), rows
" "$work/bench"
}
check "bench" bench

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
