"""Linear algebra against NumPy's and SciPy's, and by what factors must be."""

import itertools

import pytest
import tme

np = pytest.importorskip("numpy")

DTYPES = ("float32", "float64", "complex64", "complex128")
# Below and above the extents where LAPACK takes over.
SIZES = (1, 2, 5, 16, 17, 40)
PAIRS = list(itertools.product(SIZES, DTYPES))


@pytest.fixture(params=["cpu", "reference"])
def engine(request):
    """The engine that computes with LAPACK, and the one that computes without libraries."""
    with tme.Engine("float32", backend="auto" if request.param == "cpu" else "reference") as e:
        yield e


def random(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else x).astype(dtype)


def adjoint(x):
    return x.conj().swapaxes(-1, -2)


def definite(shape, dtype):
    x = random(shape, dtype)
    return (x @ adjoint(x) + np.eye(shape[-1])).astype(dtype)


def near(got, want, scale=1.0, n=1):
    """The norm of the difference is within 10 n eps of the scale."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    off = np.linalg.norm((got - want).ravel())
    assert off <= 10 * n * np.finfo(got.dtype).eps * scale + np.finfo(got.dtype).tiny, off / (
        n * np.finfo(got.dtype).eps * scale
    )


def orthonormal(q):
    q = np.asarray(q)
    near(
        adjoint(q) @ q,
        np.broadcast_to(np.eye(q.shape[-1], dtype=q.dtype), adjoint(q).shape[:-1] + q.shape[-1:]),
        n=q.shape[-2] + 1,
    )


def wide(x):
    return x.astype("complex128" if x.dtype.kind == "c" else "float64")


def norm(x):
    return np.linalg.norm(np.asarray(x).ravel())


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("n", "dtype"), PAIRS)
def test_factors(n, dtype):
    for shape in ((2, n, n), (2, n, n // 2 + 1), (n // 2 + 1, n)):
        a = random(shape, dtype)
        for mode in ("reduced", "complete"):
            q, r = (np.asarray(y) for y in tme.qr(a, mode))
            assert q.shape[-1] == (shape[-2] if mode == "complete" else min(shape[-2:]))
            assert not np.tril(r, -1).any()
            near(q @ r, a, norm(a), max(shape[-2:]))
            orthonormal(q)
        p, low, u = (np.asarray(y) for y in tme.lu(a))
        assert not np.triu(low, 1).any()
        assert not np.tril(u, -1).any()
        assert abs(low).max() <= np.sqrt(2)
        near(np.take_along_axis(low @ u, p[..., None], -2), a, norm(low) * norm(u), n)
        packed, pivots = (np.asarray(y) for y in tme.lu_factor(a))
        near(np.triu(packed[..., : u.shape[-2], :]), u, norm(u))
        assert ((pivots >= np.arange(pivots.shape[-1])) & (pivots < shape[-2])).all()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("n", "dtype"), PAIRS)
def test_hermitian(n, dtype):
    a = definite((2, n, n), dtype)
    rest = np.triu(np.full((n, n), np.nan), 1)
    lower, upper = (np.tril(a) + rest).astype(dtype), (np.triu(a) + rest.T).astype(dtype)
    low, u = np.asarray(tme.cholesky(lower)), np.asarray(tme.cholesky(upper, True))
    assert not np.triu(low, 1).any()
    assert not np.tril(u, -1).any()
    near(low @ adjoint(low), a, norm(a), n)
    near(adjoint(u) @ u, a, norm(a), n)
    for triangle, uplo in ((lower, "L"), (upper, "U")):
        w, v = (np.asarray(y) for y in tme.eigh(triangle, uplo))
        assert (np.diff(w) >= 0).all()
        near(a @ v, v * w[:, None], norm(a), n)
        orthonormal(v)
        near(tme.eigvalsh(triangle, uplo), np.linalg.eigvalsh(a.astype("complex128")).astype(w.dtype), norm(a), n)
    inverse = np.asarray(tme.cholesky_inv(low))
    near(inverse @ a, np.broadcast_to(np.eye(n), a.shape), 10 * norm(inverse) * norm(a), n)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("n", "dtype"), PAIRS)
def test_eigenvalues(n, dtype):
    a = random((2, n, n), dtype)
    w, v = (np.asarray(y) for y in tme.eig(a))
    assert w.dtype == ("complex64" if dtype in ("float32", "complex64") else "complex128")
    near(a @ v, v * w[:, None], norm(a), n)
    near(np.linalg.norm(v, axis=-2), np.ones(w.shape, w.real.dtype), n=n)
    values = np.asarray(tme.eigvals(a))
    for x in (w, values):
        near(x.sum(-1), np.trace(a, axis1=-1, axis2=-2).astype(w.dtype), norm(a), n)
        near((x**2).sum(-1), np.trace(a @ a, axis1=-1, axis2=-2).astype(w.dtype), norm(a) ** 2, n)


@pytest.mark.usefixtures("engine")
def test_defective_matrices():
    jordan = np.eye(6) * 2 + np.eye(6, k=1)
    for a in (jordan, np.zeros((4, 4)), np.eye(5), np.eye(5, k=1) + np.eye(5, k=-4), np.ones((7, 7))):
        w, v = (np.asarray(y) for y in tme.eig(a))
        near(a @ v, v * w, norm(a) + 1, len(a))
        assert np.isfinite(v).all()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("n", "dtype"), PAIRS)
def test_equations(n, dtype):
    a = random((2, n, n), dtype) + 3 * np.eye(n, dtype=dtype)
    for b in (random((n,), dtype), random((n, 3), dtype), random((4, 1, n, 2), dtype)):
        x = np.asarray(tme.solve(a, b))
        near(a @ x if b.ndim > 1 else (a @ x[..., None])[..., 0], np.broadcast_to(b, x.shape), norm(a) * norm(x), n)
        for triangle in (np.tril(a), np.triu(a)):
            is_upper, hidden = not triangle[0, -1, 0], np.where(triangle == 0, np.nan, triangle).astype(dtype)
            for unit in (False, True):
                x = np.asarray(tme.solve_triangular(hidden, b, is_upper and n > 1, unit))
                t = triangle - np.eye(n) * triangle + np.eye(n) if unit else triangle
                left = t @ x if b.ndim > 1 else (t @ x[..., None])[..., 0]
                near(left.astype(dtype), np.broadcast_to(b, x.shape), norm(t) * norm(x), n)
    inverse = np.asarray(tme.inv(a))
    near(a @ inverse, np.broadcast_to(np.eye(n, dtype=dtype), a.shape), norm(a) * norm(inverse), n)
    inverse = np.asarray(tme.tri_inv(np.tril(a)))
    assert not np.triu(inverse, 1).any()
    near(np.tril(a) @ inverse, np.broadcast_to(np.eye(n, dtype=dtype), a.shape), norm(a) * norm(inverse), n)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("n", "dtype"), list(itertools.product((1, 4, 30), DTYPES)))
def test_bands(n, dtype):
    for below, above in ((0, 0), (1, 2), (3, 0), (0, 4), (n, n)):
        a = np.triu(np.tril(random((n, n), dtype), above), -below)
        ab = np.full((below + above + 1, n), np.nan, dtype)
        for i, j in itertools.product(range(n), range(n)):
            if -above <= i - j <= below:
                ab[above + i - j, j] = a[i, j]
        for b in (random((n,), dtype), random((2, n, 3), dtype)):
            x = np.asarray(tme.solve_banded(ab, b, below, above))
            near(a @ x, np.broadcast_to(b, x.shape), norm(a) * norm(x), n + 1)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("n", "dtype"), PAIRS)
def test_determinants(n, dtype):
    a = random((3, n, n), dtype)
    a[1, -1] = a[1, 0] * (n > 1)
    exact = np.linalg.det(wide(a))
    bound = np.linalg.cond(wide(a[::2])).max() * 100 * n * np.finfo(dtype).eps
    got = np.asarray(tme.det(a))
    assert abs(got[::2] / exact[::2] - 1).max() < bound
    sign, size = (np.asarray(y) for y in tme.slogdet(a))
    assert size.dtype == sign.real.dtype
    want_sign, want_size = np.linalg.slogdet(wide(a[::2]))
    assert abs(sign[::2] - want_sign).max() < bound
    assert abs(size[::2] - want_size).max() < bound
    if n < 3:
        assert (got[1], sign[1], size[1]) == (0, 0, -np.inf)


@pytest.mark.usefixtures("engine")
def test_determinants_do_not_overflow_on_the_way():
    a = np.diag([1e300, 1e300, 1e-300, 1e-300])
    assert np.asarray(tme.det(a)) == pytest.approx(1)
    sign, size = tme.slogdet(-1e200 * np.eye(31))
    assert (sign.item(), size.item()) == (-1, pytest.approx(31 * 200 * np.log(10)))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("dtype", DTYPES)
def test_least_squares(dtype):
    for shape in ((7, 4), (4, 7), (5, 5)):
        a = random(shape, dtype)
        a[:, -1] = a[:, 0]
        for b in (random(shape[:1], dtype), random((shape[0], 2), dtype)):
            x, residuals, rank, s = tme.lstsq(a, b)
            want = np.linalg.lstsq(wide(a), b, rcond=None)
            near(x, want[0].astype(dtype), 100 * norm(want[0]), 10)
            assert rank.item() == want[2] == min(shape[0], shape[1] - 1)
            near(s, want[3].astype(s.dtype.name), norm(a), 10)
            left = (abs(b - wide(a) @ want[0]) ** 2).sum(0)
            near(residuals, left.astype(s.dtype.name), 10 * norm(b) ** 2, 10)
    stack = random((2, 1, 6, 3), dtype)
    x, residuals, rank, s = tme.lstsq(stack, random((3, 6, 2), dtype))
    assert (x.shape, residuals.shape, rank.shape, s.shape) == ((2, 3, 3, 2), (2, 3, 2), (2, 1), (2, 1, 3))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("dtype", DTYPES)
def test_pseudo_inverses(dtype):
    a = random((2, 6, 4), dtype)
    a[1, :, 3] = a[1, :, 0]
    near(tme.pinv(a), np.linalg.pinv(wide(a), rcond=1e-4).astype(dtype), 100, 10)
    near(tme.pinv(adjoint(a)), np.linalg.pinv(wide(adjoint(a)), rcond=1e-4).astype(dtype), 100, 10)
    assert tme.matrix_rank(a).tolist() == [4, 3]
    assert tme.matrix_rank(a, 0.99).tolist() == [1, 1]
    assert tme.matrix_rank(a, np.array([0.99, 1e-4])).tolist() == [1, 3]
    s = np.linalg.svd(a[0], compute_uv=False)
    near(tme.pinv(a[0], float((s[1] + s[2]) / 2 / s[0])), np.linalg.pinv(a[0], rcond=(s[1] + s[2]) / 2 / s[0]), 100, 10)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("dtype", "shape"), list(itertools.product(DTYPES, [(2, 3, 4), (3, 3)])))
def test_norms(dtype, shape):
    a = random(shape, dtype)
    for ord in (0, 1, 2, 3.5, np.inf, -np.inf, -1):
        for keep in (False, True):
            want = np.linalg.norm(a, ord, -1, keep)
            near(tme.vector_norm(a, -1, ord, keep), want.astype(a.real.dtype), norm(want), 10)
    near(tme.vector_norm(a), np.linalg.norm(a.ravel()).astype(a.real.dtype), norm(a), 10)
    for ord, keep in itertools.product(("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf), (False, True)):
        want = np.linalg.norm(a, ord, (-2, -1), keep)
        text = ord if isinstance(ord, str) else f"{ord:g}"
        near(tme.matrix_norm(a, text, keep), want.astype(a.real.dtype), norm(want), 10)
    if shape[-1] == shape[-2]:
        for p in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
            want = np.linalg.cond(a, p)
            text = p if p is None or isinstance(p, str) else f"{p:g}"
            near(tme.cond(a, text), want.astype(a.real.dtype), want * max(want, 1), 10)
    assert tme.cond(np.zeros((2, 2))).item() == np.inf


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("n", "dtype"), list(itertools.product((1, 3, 20), DTYPES)))
def test_functions_of_matrices(n, dtype):
    a = random((2, n, n), dtype)
    for power in (0, 1, 2, 5, -1, -3):
        want = np.linalg.matrix_power(wide(a), power)
        condition = np.linalg.cond(wide(a)).max()
        scale = (norm(a) if power >= 0 else norm(np.linalg.inv(a)) * condition) ** abs(power)
        near(tme.matrix_power(a, power), want.astype(dtype), max(scale, norm(want)), n)
    linalg = pytest.importorskip("scipy.linalg")
    for scale in (0, 1e-9, 0.3, 1, 6):
        want = np.stack([linalg.expm(m) for m in wide(scale * a)])
        near(tme.expm((scale * a).astype(dtype)), want.astype(dtype), norm(want) * max(scale * norm(a), 1), n)


def test_integers():
    a = np.array([[2, 1], [1, 3]])
    same = tme.asarray(a)
    assert tme.matrix_power(same, 10).dtype == tme.int64
    np.testing.assert_array_equal(np.asarray(tme.matrix_power(same, 10)), np.linalg.matrix_power(a, 10))
    np.testing.assert_array_equal(
        np.asarray(tme.matrix_power(tme.asarray(a, dtype=tme.uint8), 12)), np.linalg.matrix_power(a.astype("uint8"), 12)
    )
    assert tme.matrix_power(same, -1).dtype == tme.float32
    np.testing.assert_allclose(np.asarray(tme.inv(same)), np.linalg.inv(a), rtol=1e-5)
    assert tme.det(same).item() == pytest.approx(5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_floats(dtype):
    a = tme.astype(tme.array([[4.0, 1.0], [1.0, 3.0]]), dtype)
    for y in (tme.inv(a), tme.cholesky(a), tme.det(a), tme.expm(a), tme.pinv(a), *tme.eigh(a), *tme.qr(a), *tme.slogdet(a)):
        assert y.dtype.name == dtype
    np.testing.assert_allclose(np.asarray(tme.astype(tme.inv(a), "float32")), np.array([[3, -1], [-1, 4]]) / 11, rtol=0.01)
    assert tme.eigvals(a).dtype == tme.complex64


def test_multi_dot():
    shapes = [(10, 100), (100, 5), (5, 50), (50, 1)]
    arrays = [random(shape, "float64", i) for i, shape in enumerate(shapes)]
    near(tme.multi_dot([tme.asarray(x) for x in arrays]), np.linalg.multi_dot(arrays), 1e4, 10)
    ends = [arrays[0][0], arrays[1], arrays[2][:, 0]]
    near(tme.multi_dot([tme.asarray(x) for x in ends]), np.linalg.multi_dot(ends), 1e3, 10)


@pytest.mark.usefixtures("engine")
def test_empty_matrices():
    for shape in ((0, 0), (3, 0), (0, 3), (2, 0, 0), (0, 2, 2)):
        x = np.zeros(shape, "float32")
        q, r = tme.qr(x, "complete")
        assert q.shape == (*shape[:-1], shape[-2])
        near(q, np.broadcast_to(np.eye(shape[-2], dtype="float32"), q.shape))
        assert (tme.svdvals(x).size, tme.lu(x)[1].size) == (0, 0)
        for ord in ("fro", "nuc", "1", "2", "inf"):
            assert not np.asarray(tme.matrix_norm(x, ord)).any()
        assert tme.pinv(x).shape == (*shape[:-2], shape[-1], shape[-2])
        assert not np.asarray(tme.matrix_rank(x)).any()
        if shape[-1] == shape[-2]:
            assert tme.det(x).tolist() == np.linalg.det(x).tolist()
            assert tme.solve(x, x).shape == tme.inv(x).shape == tme.expm(x).shape == shape
            assert tme.eigvals(x).shape == tme.eigh(x)[0].shape == shape[:-1]


def test_by_the_standards_names():
    a = tme.asarray(definite((2, 4, 4), "float64"))
    assert tme.linalg.qr(a, mode="complete")._fields == ("Q", "R")
    assert tme.linalg.eigh(a)._fields == tme.linalg.eig(a)._fields == ("eigenvalues", "eigenvectors")
    assert tme.linalg.slogdet(a)._fields == ("sign", "logabsdet")
    near(tme.linalg.cholesky(a, upper=True), adjoint(np.linalg.cholesky(np.asarray(a))), norm(a), 4)
    near(tme.linalg.eigvalsh(a, UPLO="U"), np.linalg.eigvalsh(np.asarray(a)), norm(a), 4)
    near(tme.linalg.solve_triangular(a, a, upper=True), np.linalg.solve(np.triu(a), np.asarray(a)), 1e3, 4)
    near(
        tme.linalg.solve_banded((0, 1), a[0, :2], a[0]),
        np.linalg.solve(np.diag(a[0, 1]) + np.diag(a[0, 0, 1:], 1), np.asarray(a[0])),
        1e3,
    )
    assert tme.linalg.lstsq(a, a).x.shape == (2, 4, 4)
    assert tme.linalg.matrix_rank(a, rtol=0.0).tolist() == [4, 4]
    near(tme.linalg.pinv(a, rtol=1e-12) @ a, np.broadcast_to(np.eye(4), a.shape), 1e3, 4)
    near(tme.linalg.cond(a, 1), np.linalg.cond(np.asarray(a), 1), 1e5)
    x = np.asarray(a)
    cases = [
        (None, None, x),
        (None, None, x[0]),
        (2, None, x[0]),
        (1, None, x[0, 0]),
        (None, 1, x),
        (np.inf, (0, 2), x),
        ("nuc", (2, 0), x),
        (3, (1,), x),
    ]
    for (ord, axis, y), keep in itertools.product(cases, (False, True)):
        near(
            tme.linalg.norm(tme.asarray(y), ord, axis, keep),
            np.linalg.norm(y, ord, axis[0] if axis == (1,) else axis, keep),
            norm(y),
            10,
        )


ONES, STACK = tme.ones((2, 2)), tme.stack([tme.eye(2), tme.ones((2, 2)), tme.zeros((2, 2))])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: tme.inv(STACK), tme.NumericError, "inv: matrix 1 of the batch: the matrix is singular"),
        (lambda: tme.solve(STACK, tme.ones(2)), tme.NumericError, "solve: matrix 1 of the batch: the matrix is singular"),
        (lambda: tme.tri_inv(STACK), tme.NumericError, "matrix 2 of the batch: the matrix is singular"),
        (lambda: tme.solve_triangular(STACK, tme.ones(2)), tme.NumericError, "matrix 2 of the batch: the matrix is singular"),
        (lambda: tme.solve_banded(tme.zeros((1, 2)), tme.ones(2), 0, 0), tme.NumericError, "the matrix is singular"),
        (lambda: tme.cholesky(STACK), tme.NumericError, "cholesky: matrix 1 of the batch: the matrix is not positive definite"),
        (lambda: tme.cond(ONES, "1"), tme.NumericError, "the matrix is singular"),
        (lambda: tme.inv(STACK / STACK), tme.NumericError, "inv: matrix 0 of the batch: the matrix holds NaN or infinity"),
        (lambda: tme.qr(ONES / 0), tme.NumericError, "holds NaN or infinity"),
        (lambda: tme.eigh(ONES / 0), tme.NumericError, "holds NaN or infinity"),
        (lambda: tme.solve_banded(ONES / 0, tme.ones(2), 1, 0), tme.NumericError, "holds NaN or infinity"),
        (lambda: tme.det(tme.ones(3)), ValueError, r"takes matrices, not an array of shape \(3,\)"),
        (lambda: tme.eig(tme.ones((2, 3))), ValueError, r"takes square matrices, not an array of shape \(2, 3\)"),
        (lambda: tme.solve(ONES, 1.0), ValueError, "b is a number"),
        (lambda: tme.solve(ONES, tme.ones(3)), ValueError, r"b of shape \(3,\) has 3 rows, expected 2"),
        (lambda: tme.solve(STACK, tme.ones((2, 2, 2))), ValueError, "do not broadcast"),
        (lambda: tme.solve_banded(ONES, tme.ones(2), 1, 1), ValueError, "ab has 2 rows, expected"),
        (lambda: tme.solve_banded(ONES, tme.ones(2), -1, 2), ValueError, "-1 diagonals below"),
        (lambda: tme.solve_banded(ONES, tme.ones(2), 2**63 - 1, 2), ValueError, "ab has 2 rows"),
        (lambda: tme.lstsq(ONES, tme.ones(3)), ValueError, "has 3 rows, expected 2"),
        (lambda: tme.lstsq(ONES, 2.0), ValueError, "b is a number"),
        (lambda: tme.lstsq(STACK, tme.ones((2, 2, 2))), ValueError, "do not broadcast"),
        (lambda: tme.qr(ONES, "full"), ValueError, "reduced|complete"),
        (lambda: tme.linalg.matrix_norm(ONES, ord=3), ValueError, "ord is '3'"),
        (lambda: tme.matrix_norm(tme.ones((0, 2)), "-2"), ValueError, "nothing that is the smallest"),
        (lambda: tme.vector_norm(tme.ones(0), ord=-tme.inf), ValueError, "no smallest one"),
        (lambda: tme.vector_norm(ONES, ord=tme.nan), ValueError, "ord is NaN"),
        (lambda: tme.vector_norm(ONES, 2), IndexError, "axis 2"),
        (lambda: tme.cond(tme.ones((0, 0))), ValueError, "without elements"),
        (lambda: tme.cond(tme.ones((2, 3)), "1"), ValueError, "square"),
        (lambda: tme.matrix_rank(STACK, tme.ones(2)), ValueError, r"rtol of shape \(2,\)"),
        (lambda: tme.pinv(ONES, 1j), TypeError, "rtol is complex"),
        (lambda: tme.matrix_power(tme.ones((2, 3)), 2), ValueError, "square"),
        (lambda: tme.matrix_power(ONES == 1, 2), TypeError, "not bool"),
        (lambda: tme.multi_dot([ONES]), ValueError, "2 to 64 arrays"),
        (lambda: tme.multi_dot([ONES, tme.ones(2), ONES]), ValueError, "array 1 has 1 dimension"),
        (lambda: tme.multi_dot([ONES, tme.ones((3, 2))]), ValueError, "array 1 has 3 rows, expected 2"),
        (lambda: tme.linalg.norm(STACK, 2), ValueError, "3 axes"),
        (lambda: tme.linalg.norm(tme.ones(2), "nuc"), ValueError, "expected a number for vectors"),
    ],
)
def test_what_has_no_result(call, error, words):
    with pytest.raises(error, match=words):
        result = call()
        for y in result if isinstance(result, tuple) else [result]:
            y.tolist()


def test_the_other_matrices_of_a_batch_stay():
    quiet = tme.Engine("float32", quiet_numeric=True)
    for f in (quiet.inv, quiet.cholesky):
        y = np.asarray(f(np.asarray(STACK)))
        np.testing.assert_array_equal(y[0], np.eye(2))
        assert np.isnan(y[1:]).all()


def test_threads_change_no_bit():
    a = random((50, 9, 9), "float64")
    many, one = tme.Engine("float64", threads=4), tme.Engine("float64", threads=1)
    for name in ("inv", "qr", "svd", "eigh", "det", "expm"):
        x, y = (getattr(e, name)(a) for e in (many, one))
        for p, q in zip(x if isinstance(x, tuple) else [x], y if isinstance(y, tuple) else [y], strict=True):
            np.testing.assert_array_equal(np.asarray(p), np.asarray(q))


def test_singular_values_alone():
    x = np.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(
        tme.linalg.svd(tme.asarray(x), compute_uv=False), np.linalg.svd(x, compute_uv=False), atol=1e-13, rtol=1e-13
    )
