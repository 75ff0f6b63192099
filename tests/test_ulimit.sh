#!/usr/bin/env bash
# Under any limit of the address space the program gives an answer, or a message and a code: it is ended by no signal and
# does not go on for ever. `test_ulimit.sh SECONDS` tries limits at random for so long.
set -uo pipefail
tme=${TME_PROGRAM:-build/bin/tme}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export XDG_CACHE_HOME=$folder

commands=(
  "eval -- sum(sqrt(arange(1000)*%s))"
  "eval -- x=reshape(arange(4096)*%s,(64,64));gelu(softmax(x@x)+layer_norm(x))[0,0]"
  "eval --backend nojit -- x=reshape(arange(40000)*%s,(200,200));(x@x)[0,0]"
  "eval -- max(svdvals(reshape(sin(arange(6400)*%s),(80,80))))"
  "eval -- x=reshape(arange(1e6),(1000,1000))*%s;x.T@x -o $folder/x.npy"
  "explain --asm -- tanh(arange(100)*%s)"
  "status"
  "info --json"
)

passed=0 failed=0
# try KB COMMAND FACTOR
try() {
  local words code
  # shellcheck disable=SC2059
  read -ra words <<<"$(printf "$2" "$3")"
  (
    ulimit -v "$1" -t 20
    exec "$tme" "${words[@]}"
  ) >"$folder/out" 2>"$folder/err"
  code=$?
  # 127: the system's loader found no room for the libraries of the program itself, and says so
  if ((code == 0)) && [[ -s $folder/out || $2 == *" -o "* ]] || { ((code == 1 || code == 2 || code == 127)) && [[ -s $folder/err ]]; }; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "ulimit -v $1; tme ${words[*]}: code $code: $(tail -n 2 "$folder/err")"
  fi
}

if ! (ulimit -v 4000000 && exec "$tme" --version) >/dev/null 2>&1; then
  echo "no limit of the address space can be set here"
  exit 77
fi

if (($# > 0)); then
  for ((i = 0; SECONDS < $1; i++)); do
    try $((4000 + RANDOM * 27)) "${commands[RANDOM % ${#commands[@]}]}" "$i.5"
  done
else
  step=40000
  [[ ${TME_MATRIX-} == full ]] && step=3000
  for ((kb = 5000; kb <= 800000; kb += step, step += step / 4)); do
    for command in "${commands[@]}"; do try "$kb" "$command" "$kb.5"; done
  done
fi
echo "$passed passed, $failed failed"
((failed == 0))
