"""The word embeddings of a sentence model, 30522 words as vectors of 384 numbers: their SVD, and the nearest words.

embeddings.py [MODEL.safetensors VOCAB.txt [WORD...]]: without them those that ./run fetches into build/minilm.
"""

import pathlib
import sys
import time

import tme

MODEL = ["build/minilm/model.safetensors", "build/minilm/vocab.txt"]


def unit(x: tme.Array) -> tme.Array:
    return x / tme.sqrt(tme.sum(x * x, axis=-1, keepdims=True))


@tme.compile
def nearest(vectors: tme.Array, numbers: tme.Array, count: int) -> tme.Array:
    """For each of these words the numbers of the nearest others."""
    near = unit(vectors[numbers]) @ unit(vectors).T
    itself = tme.arange(vectors.shape[0]) == numbers.reshape(-1, 1)
    return tme.topk(tme.where(itself, -1, near), count)[1]


@tme.compile
def compress(x: tme.Array, rank: int) -> tuple[tme.Array, tme.Array]:
    """The matrix of that rank that is nearest to x, and the singular values of x."""
    u, s, vt = tme.svd(x, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vt[:rank], s


def main() -> None:
    model, vocabulary, *given = sys.argv[1:] or MODEL
    if not pathlib.Path(model).exists():
        sys.exit(f"{model} is not there: ./run fetches it")
    words = pathlib.Path(vocabulary).read_text(encoding="utf-8").split("\n")
    vectors = tme.load(model)["embeddings.word_embeddings.weight"]

    begin = time.perf_counter()
    low, s = compress(vectors, 64)
    print(f"SVD of {vectors.shape}: {time.perf_counter() - begin:.2f} s, largest singular values {s[:4]}")
    kept = tme.sum(s[:64] ** 2) / tme.sum(s**2)
    missed = tme.sqrt(tme.sum((vectors - low) ** 2) / tme.sum(vectors * vectors))
    print(f"rank 64 of {s.size} keeps {kept.item():.1%} of the energy and misses {missed.item():.1%} of the matrix")
    assert abs(missed.item() ** 2 + kept.item() - 1) < 1e-3

    asked = given or ["king", "paris", "piano", "physics", "seven"]
    near = nearest(vectors, tme.array([words.index(word) for word in asked]), 5)
    for word, row in zip(asked, near.tolist(), strict=True):
        print(f"{word}:", *(words[i] for i in row))


if __name__ == "__main__":
    main()
