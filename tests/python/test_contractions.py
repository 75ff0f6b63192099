"""Products over axes by name, by number and in blocks: against NumPy, in higher precision."""

import itertools

import pytest
import tme

np = pytest.importorskip("numpy")

DTYPES = ["int32", "uint8", "int64", "float16", "float32", "float64", "complex64", "complex128"]
rng = np.random.default_rng(5)


def made(shape, dtype):
    x = rng.integers(-4, 5, shape)
    if "complex" in dtype:
        x = x + 1j * rng.integers(-4, 5, shape)
    return np.asarray(x).astype(dtype)


def same(got, want):
    """All sums are of small whole numbers: exact in every dtype."""
    want = np.asarray(want)
    assert got.shape == want.shape
    assert got.dtype.name == want.dtype.name
    np.testing.assert_array_equal(np.asarray(got), want)


def both(name, *shapes, **given):
    theirs = getattr(np, name)
    for dtype in DTYPES:
        x = [made(shape, dtype) for shape in shapes]
        want = np.asarray(theirs(*x, **given)).astype(dtype)
        same(getattr(tme, name)(*map(tme.asarray, x), **given), want)
        same(getattr(tme, name)(*(tme.asarray(v.T.copy()).transpose() for v in x), **given), want)


@pytest.mark.parametrize(
    "shapes",
    [((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 2)), ((3, 4), (4, 5)), ((2, 3, 4), (5, 4, 2)), ((), (2, 3)), ((3, 0), (0, 2))],
)
def test_dot(shapes):
    both("dot", *shapes)


@pytest.mark.parametrize(
    "shapes", [((4,), (4,)), ((3, 4), (4,)), ((3, 4), (5, 4)), ((2, 3, 4), (5, 4)), ((), (2, 3)), ((2, 0), (3, 0))]
)
def test_inner(shapes):
    both("inner", *shapes)


@pytest.mark.parametrize("shapes", [((4,), (3,)), ((2, 3), (2,)), ((), (3,)), ((0,), (3,))])
def test_outer_and_kron(shapes):
    both("outer", *shapes)
    both("kron", *shapes)
    both("kron", (2, 3), shapes[0])
    both("kron", shapes[1], (2, 1, 3))


@pytest.mark.parametrize("shapes", [((4,), (4,)), ((2, 6), (3, 4)), ((), ()), ((0,), (0, 3))])
def test_vdot(shapes):
    both("vdot", *shapes)


@pytest.mark.parametrize(
    "x, y, axis", [((4,), (4,), -1), ((3, 4), (4,), -1), ((3, 1, 4), (2, 4), -1), ((4, 1), (2, 4, 3), -2), ((0,), (0,), -1)]
)
def test_vecdot(x, y, axis):
    for dtype in DTYPES:
        a, b = made(x, dtype), made(y, dtype)
        u, v = np.broadcast_arrays(*(np.moveaxis(n, axis, -1) for n in (a, b)))
        same(tme.vecdot(tme.asarray(a), tme.asarray(b), axis=axis), (np.conj(u) * v).sum(-1).astype(dtype))


@pytest.mark.parametrize(
    "x, y, axis",
    [((3,), (3,), -1), ((4, 3), (3,), -1), ((2, 3, 4), (2, 3, 4), 1), ((3, 1), (2, 3, 4), -2), ((0, 3), (0, 3), -1)],
)
def test_cross(x, y, axis):
    for dtype in DTYPES:
        a, b = made(x, dtype), made(y, dtype)
        u, v = np.broadcast_arrays(*(np.moveaxis(n, axis, -1) for n in (a, b)))
        want = np.moveaxis(np.cross(u, v), -1, axis)
        same(tme.cross(tme.asarray(a), tme.asarray(b), axis=axis), want)


def test_tensordot():
    for axes, x, y in [
        (2, (2, 3, 4), (3, 4, 5)),
        (0, (2, 3), (4,)),
        (1, (2, 3), (3,)),
        (([0, 2], [1, 0]), (2, 3, 4), (4, 2, 5)),
        ((1, 0), (2, 3), (3, 4)),
        ((-1, -1), (2, 3), (4, 3)),
        (([], []), (2,), (3,)),
        (1, (2, 0), (0, 3)),
    ]:
        both("tensordot", x, y, axes=axes)


EINSUMS = [
    ("ij,jk->ik", (3, 4), (4, 5)),
    ("ij,jk", (3, 4), (4, 5)),
    ("ij,jk->ki", (3, 4), (4, 5)),
    ("ba", (3, 4)),
    ("ii", (4, 4)),
    ("ii->i", (4, 4)),
    ("iij->ji", (4, 4, 2)),
    ("iii->i", (3, 3, 3)),
    ("ijij->ij", (2, 3, 2, 3)),
    ("ij->", (3, 4)),
    ("ij->j", (3, 4)),
    ("i,i", (4,), (4,)),
    ("i,j->ij", (4,), (3,)),
    ("i,i->i", (4,), (4,)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 6)),
    ("...ij,...jk", (3, 4), (4, 6)),
    ("i...,...j->j...i", (3, 2, 4), (2, 4, 5)),
    ("...->...", (3, 4)),
    ("i...->...", (3, 4)),
    ("...i->i...", (3, 4, 2)),
    (" i j , j k -> i k ", (3, 4), (4, 5)),
    ("ij,kj,lk->il", (3, 4), (5, 4), (2, 5)),
    ("ab,bc,cd,de,ef->af", (2, 3), (3, 4), (4, 2), (2, 5), (5, 3)),
    ("a,a,a->a", (3,), (3,), (3,)),
    ("a,b,c->cab", (3,), (2,), (4,)),
    ("ij,ij->i", (3, 4), (1, 4)),
    ("ij,jk->ik", (3, 1), (4, 5)),
    ("aB,Bc->Bca", (2, 3), (3, 4)),
    ("ij,jk,ki->", (3, 4), (4, 5), (5, 3)),
    (",ij->ij", (), (2, 3)),
    ("ij,jk->ik", (3, 0), (0, 5)),
    ("a,b,c,d,e,f,g,h,i->", *[(2,)] * 9),
    ("ab,bc,cd,de,ef,fg,gh,hi,ij->aj", *[(2, 2)] * 9),
]


@pytest.mark.parametrize("given", EINSUMS, ids=lambda given: given[0])
def test_einsum(given):
    subscripts, *shapes = given
    for dtype in DTYPES:
        x = [
            (made(shape, dtype) % 3 if dtype == "uint8" or len(shapes) > 4 and "complex" not in dtype else made(shape, dtype))
            for shape in shapes
        ]
        if dtype == "float16":
            x = [np.clip(v, -1, 1) for v in x]
        wide = {"float16": "float64", "float32": "float64", "complex64": "complex128"}.get(dtype, dtype)
        want = np.einsum(subscripts, *(v.astype(wide) for v in x), optimize=len(shapes) > 4)
        same(tme.einsum(subscripts, *map(tme.asarray, x)), np.asarray(want).astype(dtype))


def test_einsum_of_random_subscripts():
    pick = np.random.default_rng(11)
    extents = dict(zip("abcdef", (1, 2, 3, 4, 2, 3), strict=True))
    for _ in range(150):
        terms = ["".join(pick.choice(list("abcdef"), pick.integers(0, 5))) for _ in range(pick.integers(1, 5))]
        there = sorted(set("".join(terms)))
        out = "".join(pick.permutation(there)[: pick.integers(0, len(there) + 1)])
        x = [made([extents[letter] for letter in term], "int64") for term in terms]
        subscripts = ",".join(terms) + "->" + out
        same(tme.einsum(subscripts, *map(tme.asarray, x)), np.einsum(subscripts, *x))


def test_einsum_in_a_compiled_function():
    x, y = made((3, 4), "float32"), made((4, 5), "float32")
    f = tme.compile(lambda a, b: tme.einsum("ij,jk->k", a, b) + 1)
    same(f(tme.asarray(x), tme.asarray(y)), np.einsum("ij,jk->k", x, y) + np.float32(1))


@pytest.mark.parametrize(
    ("error", "match", "subscripts", "shapes"),
    [
        (ValueError, "does not name", "ij", [(2,)]),
        (ValueError, "does not name", "i", [(2, 2)]),
        (ValueError, "extent 3", "ij,jk", [(2, 4), (3, 2)]),
        (ValueError, "extent", "ii", [(2, 3)]),
        (ValueError, "for 2 operands", "ij", [(2, 3), (3, 2)]),
        (ValueError, "for 1 operand", "ij,jk", [(2, 3)]),
        (ValueError, "in no operand", "ij->k", [(2, 3)]),
        (ValueError, "in its result twice", "ij->ii", [(2, 3)]),
        (ValueError, "others than expected", "i1", [(2, 3)]),
        (ValueError, "others than expected", "iä", [(2, 3)]),
        (ValueError, "ellipsis", "i.", [(2, 3)]),
        (ValueError, "ellipsis", "i......", [(2, 3)]),
        (ValueError, "without '>'", "ij-ji", [(2, 3)]),
        (ValueError, "out of the result", "i...->i", [(2, 3)]),
        (ValueError, "in no operand", "ij->i>", [(2, 3)]),
        (ValueError, "more than 127", "i" * 200, [(2, 3)]),
    ],
)
def test_einsum_refuses(error, match, subscripts, shapes):
    with pytest.raises(error, match=match):
        tme.einsum(subscripts, *map(tme.zeros, shapes))


def test_no_products_of_bools():
    x = tme.zeros((2, 2), dtype="bool")
    for f in (tme.dot, tme.inner, tme.outer, tme.vecdot, tme.vdot, tme.kron, lambda x, y: tme.einsum("ij,jk", x, y)):
        with pytest.raises(TypeError, match="bool"):
            f(x, x)


def test_addmm():
    for dtype in DTYPES:
        c, x, y = made((3, 5), dtype), made((3, 4), dtype), made((4, 5), dtype)
        same(tme.addmm(*map(tme.asarray, (c, x, y))), c + x @ y)
        same(tme.addmm(*map(tme.asarray, (c[0], x, y)), 2, 3), (3 * c[0] + 2 * (x @ y)).astype(dtype))
        batch = made((2, 3, 4), dtype)
        same(tme.addmm(*map(tme.asarray, (c, batch, y))), c + batch @ y)
    nan = tme.asarray(float("nan"))
    assert tme.addmm(nan, tme.ones((2, 2)), tme.ones((2, 2)), beta=0).tolist() == [[2, 2], [2, 2]]
    with pytest.raises(ValueError, match="does not broadcast"):
        tme.addmm(tme.zeros(3), tme.ones((2, 2)), tme.ones((2, 2)))


def test_gather_mm():
    for dtype in DTYPES:
        x, w = made((6, 3, 4), dtype), made((2, 3, 4, 5), dtype)
        i, j = np.array([[5, 0, 2]]), np.array([[1], [4]])
        same(tme.gather_mm(*map(tme.asarray, (x, w, i, j))), x[i] @ w.reshape(6, 4, 5)[j])
        same(tme.gather_mm(tme.asarray(x), tme.asarray(w), None, tme.asarray(np.arange(6))), x @ w.reshape(6, 4, 5))
        same(tme.gather_mm(tme.asarray(x), tme.asarray(w[0, 0])), x @ w[0, 0])
    with pytest.raises(TypeError, match="integers"):
        tme.gather_mm(tme.zeros((2, 2, 2)), tme.zeros((2, 2, 2)), tme.zeros(1))
    with pytest.raises(IndexError, match="9"):
        tme.gather_mm(tme.zeros((2, 2, 2)), tme.zeros((2, 2, 2)), None, tme.asarray([9])).eval()


@pytest.mark.parametrize("kind", ["bool", "float"])
@pytest.mark.parametrize("which", list(itertools.product([False, True], repeat=3)))
def test_block_masked_mm(which, kind):
    x, y = made((2, 9, 8), "float32"), made((8, 7), "float32")
    masks = [made(shape, "float32") for shape in ((2, 3, 2), (3, 2), (2, 2))]
    if kind == "bool":
        masks = [mask > 0 for mask in masks]
    wide = [
        np.repeat(np.repeat(mask, 4, -1), 4, -2)[..., :m, :n] if there else 1
        for mask, there, (m, n) in zip(masks, which, ((9, 7), (9, 8), (8, 7)), strict=True)
    ]
    given = [tme.asarray(mask) if there else None for mask, there in zip(masks, which, strict=True)]
    same(
        tme.block_masked_mm(tme.asarray(x), tme.asarray(y), *given, 4),
        (((x * wide[1]) @ (y * wide[2])) * wide[0]).astype("float32"),
    )


def test_products_refuse():
    x, y = tme.zeros((2, 3)), tme.zeros((4, 5))
    for call in (
        lambda: tme.dot(x, y), lambda: tme.inner(x, y), lambda: tme.tensordot(x, y, axes=1), lambda: tme.vdot(x, y), lambda: tme.cross(x, y),
        lambda: tme.vecdot(x, y), lambda: tme.tensordot(x, y, axes=3), lambda: tme.tensordot(x, y, axes=((0, 0), (0, 0))),
        lambda: tme.tensordot(x, y, axes=((0,), (0, 1))), lambda: tme.kron(tme.zeros((1,) * 9), x),
        lambda: tme.block_masked_mm(x, x.mT, tme.zeros((2, 2), dtype="bool")), lambda: tme.block_masked_mm(x, x.mT, block_size=0),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            call()
    with pytest.raises(IndexError):
        tme.vecdot(x, x, axis=2)
    with pytest.raises(IndexError):
        tme.tensordot(x, x, axes=((2,), (0,)))


def test_einsum_path():
    rng = np.random.default_rng(3)
    for _ in range(30):
        n = int(rng.integers(1, 11))
        labels = ["".join(rng.choice(list("abcdef"), size=int(rng.integers(1, 4)), replace=False)) for _ in range(n)]
        extent = {label: int(rng.integers(1, 5)) for label in "abcdef"}
        x = [np.ones([extent[c] for c in term], "float32") for term in labels]
        subscripts = ",".join(labels) + "->" + labels[0]
        path, text = tme.einsum_path(subscripts, *map(tme.asarray, x))
        assert text.count("\n") == len(path) - 1 == max(n - 1, 1)
        np.testing.assert_allclose(np.einsum(subscripts, *x, optimize=path), np.einsum(subscripts, *x), rtol=1e-5)
    chain = [tme.zeros((50, 2)), tme.zeros((2, 60)), tme.zeros((60, 3))]
    assert tme.einsum_path("ij,jk,kl", *chain)[0] == np.einsum_path("ij,jk,kl", *chain, optimize="optimal")[0]
    assert tme.einsum_path([tme.ones(3)], "i->")[0] == ["einsum_path", (0,)]
    with pytest.raises(ValueError, match="at least 1 array"):
        tme.einsum_path("->")
    with pytest.raises(ValueError, match="for 2 operands"):
        tme.einsum_path("ij", *chain[:2])
