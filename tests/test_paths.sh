#!/usr/bin/env bash
# The sources in a folder whose name has a space and an apostrophe: what is built once is not built again. And what ./run
# does with a build folder whose tests can no longer be configured.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree="$work/it's a tree"
mkdir "$tree"
cp -r "$TME_SOURCE_DIR"/{CMakeLists.txt,CMakePresets.json,cmake,include,src,cli,tools,bench,examples,python,run} "$tree"
cd "$tree"
# A compiler's cache may write other lists of headers.
unset CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER

passed=0 failed=0
check() { # NAME WANTED GOT
  if [[ $2 == "$3" ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf '%s: wanted %s, got %s\n' "$1" "$2" "$3"
  fi
}
option() { sed -n "s/^$1:[A-Z]*=//p" build/CMakeCache.txt; }

# Without the presets the tests are off: they need a library that the engine does not.
cmake -G Ninja -B build -DCMAKE_BUILD_TYPE=Release -DTME_LLVM=OFF -DTME_MLX=OFF >log || { cat log; exit 1; }
check "tests by default" OFF "$(option TME_TESTS)"
# Where headers are generated, and where they are not.
targets=(genops CMakeFiles/tme_objects.dir/src/base/half.c.o CMakeFiles/tme_objects.dir/src/ops/ops.c.o)
cmake --build build --target "${targets[@]}" >log || { cat log; exit 1; }
again=$(cmake --build build --target "${targets[@]}")
check "a second build" "ninja: no work to do." "$(tail -n 1 <<<"$again")"
touch src/base/base.h
again=$(cmake --build build --target "${targets[@]}")
check "a changed header" 1 "$(grep -c 'half\.c\.o' <<<"$again")"

# ./run with stand-ins: a pkg-config that knows no cmocka, and a cmake that says how it was called and builds nothing.
mkdir bin
cat >bin/pkg-config <<'SH'
#!/bin/sh
exit 1
SH
cat >bin/cmake <<'SH'
#!/bin/sh
echo "cmake $*"
SH
chmod +x bin/*
sed -i 's/^TME_TESTS:BOOL=.*/TME_TESTS:BOOL=ON/' build/CMakeCache.txt
mkdir build/bin -p
printf '#!/bin/sh\necho "tme $*"\n' >build/bin/tme
chmod +x build/bin/tme
said=$(PATH=$tree/bin:$PATH ./run --no-install info 2>&1)
check "tests that can no longer be configured" 1 "$(grep -c -- '--preset release -DTME_TESTS=OFF' <<<"$said")"

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
