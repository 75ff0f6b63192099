"""Norms of channels, positions, tables and losses against NumPy in float64, from their definitions."""

import numpy as np
import pytest
import tme

RNG = np.random.default_rng(11)


def normal(*shape):
    return RNG.standard_normal(shape)


def check(got, want, tolerance=1e-10):
    got = np.asarray(got)
    assert got.shape == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


# ---- norms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [False, True])
def test_group_norm(first):
    x, w, b = normal(2, 5, 4, 6), normal(6), normal(6)
    y = np.empty_like(x)
    for n in range(2):
        for g in range(3):
            part = x[n, ..., 2 * g : 2 * g + 2]
            y[n, ..., 2 * g : 2 * g + 2] = (part - part.mean()) / np.sqrt(part.var() + 1e-3)
    y = y * w + b
    if first:
        got = tme.group_norm(np.moveaxis(x, -1, 1), 3, w, b, eps=1e-3, layout="channels_first")
        check(got, np.moveaxis(y, -1, 1))
    else:
        check(tme.group_norm(x, 3, w, b, eps=1e-3), y)


def test_instance_and_batch_norm():
    x, w, b, m, v = normal(3, 7, 5), normal(5), normal(5), normal(5), RNG.uniform(0.5, 2, 5)
    y = np.stack([[(x[n, :, c] - x[n, :, c].mean()) / np.sqrt(x[n, :, c].var() + 1e-5) for c in range(5)] for n in range(3)])
    check(tme.instance_norm(x), np.swapaxes(y, 1, 2))
    check(tme.instance_norm(np.swapaxes(x, 1, 2), w, layout="channels_first"), y * w[:, None])
    want = (x - m) / np.sqrt(v + 1e-5) * w + b
    check(tme.batch_norm(x, m, v, w, b), want)
    check(tme.batch_norm(np.swapaxes(x, 1, 2), m, v, w, b, layout="channels_first"), np.swapaxes(want, 1, 2))
    check(tme.batch_norm(x, m, v, bias=b), (x - m) / np.sqrt(v + 1e-5) + b)


def test_norms_of_large_means():
    x = (1e4 + normal(1, 64, 8)).astype(np.float32)
    want = (x - x.astype(np.float64).mean(1, keepdims=True)) / np.sqrt(x.astype(np.float64).var(1, keepdims=True) + 1e-5)
    check(tme.instance_norm(x), want, 2e-3)


# ---- positions ---------------------------------------------------------------------------------------------------------


def turned(x, dims, traditional=False, base=10000.0, scale=1.0, offset=0, freqs=None):
    y = x.copy()
    for b in range(x.shape[0]):
        for t in range(x.shape[-2]):
            for i in range(dims // 2):
                at = (t + (offset[b] if np.ndim(offset) else offset)) * scale
                angle = at / (freqs[i] if freqs is not None else base ** (2 * i / dims))
                p, q = (2 * i, 2 * i + 1) if traditional else (i, i + dims // 2)
                u, v = x[b, ..., t, p], x[b, ..., t, q]
                y[b, ..., t, p] = u * np.cos(angle) - v * np.sin(angle)
                y[b, ..., t, q] = u * np.sin(angle) + v * np.cos(angle)
    return y


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"traditional": True},
        {"base": 100.0, "scale": 0.5},
        {"offset": 7},
        {"offset": [3, 11], "traditional": True},
        {"freqs": [1.0, 3.0, 9.0, 27.0]},
    ],
)
@pytest.mark.parametrize("width", [8, 11])
def test_rope(given, width):
    x = normal(2, 3, 6, width)
    arrays = {k: np.array(v) if isinstance(v, list) else v for k, v in given.items()}
    check(tme.rope(x, 8, **arrays), turned(x, 8, **given))


def test_rope_keeps_products_of_neighbours():
    """The product of two turned vectors depends on their distance alone."""
    q, k = normal(1, 1, 16), normal(1, 1, 16)
    near = [float((np.asarray(tme.rope(q, 16, offset=o)) * np.asarray(tme.rope(k, 16, offset=o + 5))).sum()) for o in (0, 100)]
    assert near[0] == pytest.approx(near[1], rel=1e-9)


def test_sinusoidal_positions():
    p = np.array([[0.0, 1.0], [7.0, 100.0]])
    want = np.empty((2, 2, 6))
    for i in range(3):
        want[..., 2 * i], want[..., 2 * i + 1] = np.sin(p / 50 ** (i / 3)), np.cos(p / 50 ** (i / 3))
    check(tme.sinusoidal_positions(p, 6, base=50), want)
    check(tme.sinusoidal_positions(p, 6, base=50, halves=True), np.concatenate([want[..., ::2], want[..., 1::2]], -1))
    assert tme.sinusoidal_positions(tme.arange(3), 4).dtype == tme.float32


# ---- tables, halves ------------------------------------------------------------------------------------------------------


def test_embedding_and_one_hot():
    w = normal(5, 3)
    check(tme.embedding(w, [[0, 4], [-1, 2]]), w[[[0, 4], [-1, 2]]])
    got = tme.one_hot([[0, 2], [3, -1]], 3)
    check(got, [[[1, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]])
    assert got.dtype == tme.float32
    assert tme.one_hot(tme.asarray([1]), 2, dtype=tme.bool).dtype == tme.bool
    assert tme.one_hot(tme.asarray([2**63 + 1], dtype=tme.uint64), 2).sum() == 0


def test_glu_and_softmin():
    x = normal(3, 8, 2)
    check(tme.glu(x, axis=1), x[:, :4] / (1 + np.exp(-x[:, 4:])))
    e = np.exp(-x)
    check(tme.softmin(x, axis=0), e / e.sum(0))


def test_dropout():
    key, x = tme.random.key(3), 1 + np.abs(normal(300, 200))
    got = np.asarray(tme.dropout(x, 0.25, key))
    kept = got != 0
    check(got[kept], x[kept] / 0.75)
    assert abs(kept.mean() - 0.75) < 0.01 and (np.asarray(tme.dropout(x, 0.25, key)) == got).all()
    assert (np.asarray(tme.dropout(x, 0.25)) != got).any()  # with another key of the stream
    assert (np.asarray(tme.dropout(x, 0.25, tme.random.key(4))) != got).any()
    check(tme.dropout(x, 0, key), x)
    assert (np.asarray(tme.dropout([np.nan, np.inf], 1, key)) == 0).all()
    half = tme.dropout(tme.ones(64, dtype=tme.float16), 0.5, key)
    assert half.dtype == tme.float16 and set(half.tolist()) == {0.0, 2.0}


# ---- losses --------------------------------------------------------------------------------------------------------------

X, Y, Z = normal(4, 6), normal(4, 6), normal(4, 6)
SIGN, P = np.sign(Y), RNG.uniform(0.05, 0.95, (4, 6))
V = RNG.uniform(0.5, 2, (4, 6))
D = abs(X - Y)


def log_softmax(x, axis=-1):
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


def norms(x, axis=-1):
    return np.sqrt((x * x).sum(axis))


def distance(x, y, p=2.0):
    return ((abs(x - y) ** p).sum(-1) + 1e-6) ** (1 / p)


LOSSES = [
    (tme.l1_loss, (X, Y), {}, D),
    (tme.mse_loss, (X, Y), {}, D**2),
    (tme.smooth_l1_loss, (X, Y), {"beta": 0.5}, np.where(D < 0.5, D**2, D - 0.25)),
    (tme.smooth_l1_loss, (X, Y), {"beta": 0.0}, D),
    (tme.huber_loss, (X, Y), {"delta": 0.7}, np.where(D < 0.7, D**2 / 2, 0.7 * (D - 0.35))),
    (tme.log_cosh_loss, (X, Y), {}, np.log(np.cosh(X - Y))),
    (tme.hinge_loss, (X, SIGN), {}, np.maximum(1 - X * SIGN, 0)),
    (tme.margin_ranking_loss, (X, Z, SIGN), {"margin": 0.3}, np.maximum(0.3 - SIGN * (X - Z), 0)),
    (tme.gaussian_nll_loss, (X, Y, V), {}, (np.log(V) + D**2 / V) / 2),
    (
        tme.gaussian_nll_loss,
        (X, Y, V),
        {"full": True, "eps": 1.0},
        (np.log(np.maximum(V, 1)) + D**2 / np.maximum(V, 1) + np.log(2 * np.pi)) / 2,
    ),
    (tme.binary_cross_entropy, (X, P), {}, np.log1p(np.exp(X)) - X * P),
    (
        tme.binary_cross_entropy,
        (V / 3, P, abs(Z)),
        {"with_logits": False},
        -abs(Z) * (P * np.log(V / 3) + (1 - P) * np.log(1 - V / 3)),
    ),
    (
        tme.kl_div_loss,
        (log_softmax(X), log_softmax(Y)),
        {},
        (np.exp(log_softmax(Y)) * (log_softmax(Y) - log_softmax(X))).sum(-1),
    ),
    (tme.cosine_similarity, (X, Y), {"axis": 0}, (X * Y).sum(0) / (norms(X, 0) * norms(Y, 0))),
    (tme.cosine_similarity, (X, Y[0]), {}, (X * Y[0]).sum(-1) / (norms(X) * norms(Y[0]))),
    (tme.triplet_loss, (X, Y, Z), {}, np.maximum(distance(X, Y) - distance(X, Z) + 1, 0)),
    (tme.triplet_loss, (X, Y, Z), {"p": 3.0, "margin": 0.2}, np.maximum(distance(X, Y, 3) - distance(X, Z, 3) + 0.2, 0)),
    (tme.triplet_loss, (X, Y, Z), {"p": 1.0}, np.maximum(distance(X, Y, 1) - distance(X, Z, 1) + 1, 0)),
]


@pytest.mark.parametrize("at", range(len(LOSSES)))
def test_losses(at):
    loss, operands, given, want = LOSSES[at]
    check(loss(*operands, reduction="none", **given), want)
    check(loss(*operands, reduction="sum", **given), want.sum())
    check(loss(*operands, reduction="mean", **given), want.mean())
    narrow = loss(*[tme.asarray(o).astype(tme.float16) for o in operands], reduction="none", **given)
    assert narrow.dtype == tme.float16
    check(narrow.astype(tme.float64), want, 0.05)


@pytest.mark.parametrize("smooth", [0.0, 0.2])
@pytest.mark.parametrize("axis", [-1, 0])
def test_cross_entropy(smooth, axis):
    p, n = log_softmax(X, axis), X.shape[axis]
    targets = RNG.integers(0, n, 4 if axis else 6)
    one = np.moveaxis(np.eye(n)[targets], -1, axis)
    want = -((one * (1 - smooth) + smooth / n) * p).sum(axis)
    check(tme.cross_entropy(X, targets, axis=axis, label_smoothing=smooth, reduction="none"), want)
    check(tme.cross_entropy(X, one, axis=axis, label_smoothing=smooth), want.mean())
    w = RNG.uniform(0, 1, want.shape)
    check(tme.cross_entropy(X, targets, weights=w, axis=axis, label_smoothing=smooth, reduction="sum"), (want * w).sum())
    check(tme.nll_loss(p, targets, axis=axis, reduction="none"), -(one * p).sum(axis))
    check(tme.nll_loss(p, targets - n, axis=axis), -(one * p).sum(axis).mean())


def test_extreme_losses():
    """No overflow, no NaN of what weighs nothing."""
    assert float(tme.cross_entropy([[1000.0, -1000.0]], tme.asarray([1]))) == 2000
    assert float(tme.cross_entropy([[0.0, -np.inf]], [[1.0, 0.0]])) == 0
    assert float(tme.binary_cross_entropy([800.0, -800.0], [0.0, 1.0], reduction="sum")) == 1600
    assert float(tme.binary_cross_entropy([0.0], [1.0], with_logits=False)) == 100
    assert float(tme.log_cosh_loss([1000.0], [0.0])) == pytest.approx(1000 - np.log(2))
    assert float(tme.log_cosh_loss(np.array([1e-4]), np.array([0.0]))) == pytest.approx(5e-9, rel=1e-6)


# ---- mixtures of experts -------------------------------------------------------------------------------------------------


def routed(logits, k, capacity=None):
    chosen = np.argsort(-logits, axis=-1, kind="stable")[:, :k]
    weights = np.exp(np.take_along_axis(logits, chosen, -1))
    weights /= weights.sum(-1, keepdims=True)
    used = np.zeros(logits.shape[-1], int)
    for j in range(k):
        for t in range(len(logits)):
            if capacity is not None and used[chosen[t, j]] >= capacity:
                weights[t, j] = 0
            used[chosen[t, j]] += 1
    p = np.exp(log_softmax(logits)).mean(0)
    return weights, chosen, logits.shape[-1] * (used / used.sum() * p).sum()


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("capacity", [None, 0, 3])
def test_routing(k, capacity):
    logits, noise = normal(12, 5), normal(12, 5)
    given = {} if capacity is None else {"capacity": capacity}
    for got, want in zip(tme.moe_route(logits, k, noise, **given), routed(logits + noise, k, capacity), strict=True):
        check(got, want)
    weights, indices, loss = tme.moe_route(logits.reshape(3, 4, 5), k, **given)
    want = routed(logits, k, capacity)
    check(weights, want[0].reshape(3, 4, k))
    check(indices, want[1].reshape(3, 4, k))
    assert indices.dtype == tme.int64
    assert loss.shape == ()


def test_routing_of_what_is_alike_and_of_nan():
    weights, indices, loss = tme.moe_route(np.zeros((8, 4)), 2)
    check(indices, np.tile([0, 1], (8, 1)))
    check(weights, np.full((8, 2), 0.5))
    check(loss, 1.0)
    weights, indices, _ = tme.moe_route(np.array([[np.nan, 1.0, 2.0]]), 2)
    check(indices, [[2, 1]])
    assert np.isnan(np.asarray(weights)).all()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_mixing(dtype):
    x, experts = normal(7, 6), normal(4, 6, 3)
    weights, indices, _ = routed(normal(7, 4), 2)
    want = np.stack([sum(w * (x[t] @ experts[i]) for w, i in zip(weights[t], indices[t], strict=True)) for t in range(7)])
    t = getattr(tme, dtype)
    got = tme.moe_mix(*(tme.asarray(a).astype(t) for a in (x, weights, experts)), indices)
    assert got.dtype == t
    check(got.astype(tme.float64), want, {"float64": 1e-12, "float32": 1e-5, "float16": 0.02}[dtype])
    twice = tme.moe_mix(x[0], np.array([0.5, 0.25]), experts, np.array([-1, 3]))
    check(twice, 0.75 * x[0] @ experts[3])
    every = normal(7, 4)
    check(tme.moe_mix(x, every, experts), np.einsum("te,td,edo->to", every, x, experts))


T = np.array([0, 1, 2, 3])
E = np.ones((3, 6, 2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tme.group_norm(X, 4), "6 channels cannot be cut into 4 groups"),
        (lambda: tme.group_norm(X, 0), "into 0 groups"),
        (lambda: tme.group_norm(X[0], 1), "a batch and channels"),
        (lambda: tme.instance_norm(X, Y), r"weight has shape \(4, 6\), expected \(6,\)"),
        (lambda: tme.batch_norm(X, X[0], X[:, 0]), r"var has shape \(4,\), expected \(6,\)"),
        (lambda: tme.instance_norm(X, eps=-1.0), "eps is -1"),
        (lambda: tme.rope(X, 5), "dims is 5"),
        (lambda: tme.rope(X, 8), "to the width, 6"),
        (lambda: tme.rope(X[0], 2), "a length and a width"),
        (lambda: tme.rope(X, 4, offset=T), "the offset has shape"),
        (lambda: tme.rope(X, 4, freqs=X[0]), "freqs has shape"),
        (lambda: tme.rope(X, 4, base=0.0), "base is 0"),
        (lambda: tme.sinusoidal_positions(T, 3), "dims is 3"),
        (lambda: tme.embedding(X, Y), "indices must be integers"),
        (lambda: tme.eval(tme.embedding(X, T + 1)), "out of range"),
        (lambda: tme.one_hot(X, 3), "whole numbers"),
        (lambda: tme.one_hot(T, -1), "-1 classes"),
        (lambda: tme.dropout(X, 1.5), "rate is 1.5"),
        (lambda: tme.glu(X[:, :5]), "expected an even number"),
        (lambda: tme.softmin(X, axis=2), "out of range"),
        (lambda: tme.mse_loss(X, Y[:, :3]), "do not broadcast"),
        (lambda: tme.mse_loss(X, Y, reduction="all"), "expected one of"),
        (lambda: tme.smooth_l1_loss(X, Y, beta=-1.0), "beta is -1"),
        (lambda: tme.huber_loss(X, Y, delta=0.0), "delta is 0"),
        (lambda: tme.triplet_loss(X, Y, Z, p=0.0), "p is 0"),
        (lambda: tme.cross_entropy(X, T[:3]), "without the axis"),
        (lambda: tme.cross_entropy(X, X[0]), "the shape of the logits"),
        (lambda: tme.cross_entropy(X, T, weights=X), "one for each row"),
        (lambda: tme.cross_entropy(X, T, label_smoothing=1.0), "label_smoothing is 1"),
        (lambda: tme.eval(tme.cross_entropy(X, T + 5)), "out of range"),
        (lambda: tme.nll_loss(X, Y[:, 0]), "expected whole numbers"),
        (lambda: tme.mse_loss(X + 1j, Y), "takes real numbers"),
        (lambda: tme.moe_route(X, 7), "k is 7, expected 1 to 6"),
        (lambda: tme.moe_route(X, 0), "k is 0"),
        (lambda: tme.moe_route(X, 1, Y[0]), "expected the same"),
        (lambda: tme.moe_route(X, 1, capacity=-2), "capacity is -2"),
        (lambda: tme.moe_route(X[0, 0], 1), "no axis of experts"),
        (lambda: tme.moe_mix(X, Y[:, :2], E, T[:, None]), "another shape than the weights"),
        (lambda: tme.moe_mix(X, Y[:, :1], E, Y[:, :1]), "indices must be integers"),
        (lambda: tme.moe_mix(X, Y[:, :1], E[0], T[:, None]), "experts are matrices"),
        (lambda: tme.moe_mix(X, Y[:, :1], E), "not a weight for each expert"),
        (lambda: tme.eval(tme.moe_mix(X, Y[:, :1], E, T[:, None])), "out of range"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises((tme.Error, ValueError, TypeError, IndexError), match=words):
        call()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_softmax_over_axes(dtype):
    x = np.linspace(-3, 4, 60).reshape(3, 4, 5)[:, ::-1].astype(dtype)
    wide = x.astype("float64")
    for axis in (None, 0, (0, 1), (-1, 0), (0, 1, 2), ()):
        p = np.exp(wide - wide.max(axis=axis, keepdims=True))
        p /= p.sum(axis=axis, keepdims=True)
        close = {"rtol": 4e-3 if dtype == "float16" else 2e-6, "atol": 1e-3 if dtype == "float16" else 1e-7}
        for backend in ("auto", "reference"):
            with tme.Engine(dtype, backend=backend):
                y = tme.asarray(x)
                np.testing.assert_allclose(np.asarray(tme.softmax(y, axis)), p, **close)
                np.testing.assert_allclose(np.asarray(y.log_softmax(axis)), np.log(p), **close)
                np.testing.assert_allclose(np.asarray((-y).softmin(axis=axis)), p, **close)
    np.testing.assert_array_equal(np.asarray(tme.softmax(tme.asarray(x))), np.asarray(tme.softmax(tme.asarray(x), -1)))
    assert tme.softmax(tme.asarray(x[0, 0, 0]), None).item() == 1
    with pytest.raises(IndexError, match="no axes"):
        tme.softmax(tme.asarray(x[0, 0, 0]))
    with pytest.raises(ValueError, match="twice"):
        tme.softmax(tme.asarray(x), (0, -3))
