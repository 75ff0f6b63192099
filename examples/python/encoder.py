"""The sentence model MiniLM-L6 in fifty lines, checked against the similarities that its makers publish.

encoder.py [MODEL.safetensors VOCAB.txt]: without them those that ./run fetches into build/minilm. The similarities are those
of https://www.sbert.net/docs/quickstart.html for all-MiniLM-L6-v2.
"""

import pathlib
import re
import sys
import time

import tme

MODEL = ["build/minilm/model.safetensors", "build/minilm/vocab.txt"]
LAYERS, HEADS = 6, 12
SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
PUBLISHED = [[1.0000, 0.6660, 0.1046], [0.6660, 1.0000, 0.1411], [0.1046, 0.1411, 1.0000]]
Weights = dict[str, tme.Array]


def tokens(text: str, vocabulary: dict[str, int]) -> list[int]:
    """The numbers of the longest pieces of the words that are in the vocabulary."""
    found = [vocabulary["[CLS]"]]
    for word in re.findall(r"\w+|[^\w\s]", text.lower()):
        pieces: list[int] = []
        rest = word
        while rest:
            mark = "##" if pieces else ""
            piece = next((rest[:n] for n in range(len(rest), 0, -1) if mark + rest[:n] in vocabulary), None)
            if piece is None:
                pieces = [vocabulary["[UNK]"]]
                break
            pieces.append(vocabulary[mark + piece])
            rest = rest[len(piece) :]
        found += pieces
    return [*found, vocabulary["[SEP]"]]


def linear(x: tme.Array, w: Weights, name: str) -> tme.Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def norm(x: tme.Array, w: Weights, name: str) -> tme.Array:
    return tme.layer_norm(x, w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-12)


def heads(x: tme.Array) -> tme.Array:
    return x.reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)


def block(x: tme.Array, mask: tme.Array, w: Weights, name: str) -> tme.Array:
    """Attention, then two products with an activation between them, each added to its operand and normalized."""
    q, k, v = (heads(linear(x, w, f"{name}.attention.self.{part}")) for part in ("query", "key", "value"))
    a = tme.scaled_dot_product_attention(q, k, v, mask=mask[:, None, None, :] > 0)
    a = a.transpose(0, 2, 1, 3).reshape(x.shape)
    x = norm(x + linear(a, w, f"{name}.attention.output.dense"), w, f"{name}.attention.output.LayerNorm")
    inner = tme.gelu_erf(linear(x, w, f"{name}.intermediate.dense"))
    return norm(x + linear(inner, w, f"{name}.output.dense"), w, f"{name}.output.LayerNorm")


@tme.compile
def encode(numbers: tme.Array, mask: tme.Array, w: Weights) -> tme.Array:
    """Vectors of length 1, one for each text; mask is 1 where there is a token."""
    count = numbers.shape[1]
    x = tme.take(w["embeddings.word_embeddings.weight"], numbers, axis=0)
    x = x + w["embeddings.position_embeddings.weight"][:count] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, w, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        x = block(x, mask, w, f"encoder.layer.{layer}")
    mean = tme.sum(x * mask[:, :, None], axis=1) / tme.sum(mask, axis=1, keepdims=True)
    return mean / tme.sqrt(tme.sum(mean * mean, axis=1, keepdims=True))


def main() -> None:
    model, words = sys.argv[1:] or MODEL
    if not pathlib.Path(model).exists():
        sys.exit(f"{model} is not there: ./run fetches it")
    vocabulary = {word: i for i, word in enumerate(pathlib.Path(words).read_text(encoding="utf-8").split("\n"))}
    weights: Weights = tme.load(model)
    weights = {name: value for name, value in weights.items() if value.dtype == "float32"}

    texts = [tokens(text, vocabulary) for text in SENTENCES]
    longest = max(map(len, texts))
    numbers = tme.array([text + [0] * (longest - len(text)) for text in texts])
    mask = tme.array([[1.0] * len(text) + [0.0] * (longest - len(text)) for text in texts])

    vectors = encode(numbers, mask, weights)  # traced and compiled here
    begin = time.perf_counter()
    vectors = encode(numbers, mask, weights)
    tme.eval(vectors)
    print(f"{len(texts)} sentences of up to {longest} tokens: {(time.perf_counter() - begin) * 1e3:.1f} ms")
    similarity = vectors @ vectors.T
    print(similarity)
    assert float(tme.max(tme.abs(similarity - PUBLISHED))) < 2e-4


if __name__ == "__main__":
    main()
