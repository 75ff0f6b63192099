"""Sums and differences of words: which ones lie nearest, by the angle between the vectors of a sentence model.

python3 examples/words.py model.safetensors vocab.txt king - man + woman
"""

import sys

import tme


def unit(x):
    return x / tme.sqrt(tme.sum(x * x, axis=-1, keepdims=True))


@tme.compile
def cosines(vectors, target):
    return unit(vectors) @ unit(target)


model, vocabulary, *terms = sys.argv[1:]
with open(vocabulary, encoding="utf-8") as file:
    words = file.read().split("\n")
vectors = unit(tme.load(model)["embeddings.word_embeddings.weight"])
signs = {"+": 1, "-": -1}
sign, target, given = 1, 0, []
for term in terms:
    if term in signs:
        sign = signs[term]
    else:
        given.append(words.index(term))
        target = target + sign * vectors[given[-1]]

near = cosines(vectors, target)
numbers = tme.arange(near.size)
for i in given:
    near = tme.where(numbers == i, -1, near)
for _ in range(5):
    best = int(tme.argmax(near))
    print(f"{float(near[best]):.3f}  {words[best]}")
    near = tme.where(numbers == best, -1, near)
