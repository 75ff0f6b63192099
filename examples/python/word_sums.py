"""Sums and differences of words: which ones lie nearest, by the angle between the vectors of a sentence model.

word_sums.py [WORD [+|-] WORD...]: without them the queen. ./run fetches the model into build/minilm.
"""

import sys

import tme

MODEL, VOCABULARY = "build/minilm/model.safetensors", "build/minilm/vocab.txt"


def unit(x: tme.Array) -> tme.Array:
    return x / tme.sqrt(tme.sum(x * x, axis=-1, keepdims=True))


@tme.compile
def cosines(vectors: tme.Array, target: tme.Array, given: tme.Array) -> tme.Array:
    """Of all words with the target; of those that made it -1."""
    return (unit(vectors) @ unit(target)).at[given].set(-1)


def main() -> None:
    with open(VOCABULARY, encoding="utf-8") as file:
        words = file.read().split("\n")
    vectors = unit(tme.load(MODEL)["embeddings.word_embeddings.weight"])
    sign, target, given = 1, tme.zeros(vectors.shape[1]), []
    for term in sys.argv[1:] or ["king", "-", "man", "+", "woman"]:
        if term in ("+", "-"):
            sign = 1 if term == "+" else -1
        else:
            given.append(words.index(term))
            target += sign * vectors[given[-1]]
    near = cosines(vectors, target, tme.array(given))
    for _ in range(5):
        best = int(tme.argmax(near))
        print(f"{near[best]:.3f}  {words[best]}")
        near[best] = -1


if __name__ == "__main__":
    main()
