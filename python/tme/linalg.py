"""Linear algebra by the names and parameters of the array API standard, and of NumPy and SciPy where the standard has none."""

from __future__ import annotations

from collections import namedtuple

from . import _core
from ._array_api import tensordot

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, overload

    from ._core import Array, _DtypeLike

__all__ = [
    "cholesky", "cholesky_inv", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "expm", "inv", "lstsq",
    "lu", "lu_factor", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer",
    "pinv", "qr", "slogdet", "solve", "solve_banded", "solve_triangular", "svd", "svdvals", "tensordot", "trace", "tri_inv",
    "vecdot", "vector_norm",
]  # fmt: skip

cholesky_inv = _core.cholesky_inv
det = _core.det
eigvals = _core.eigvals
expm = _core.expm
inv = _core.inv
lu = _core.lu
lu_factor = _core.lu_factor
matmul = _core.matmul
matrix_power = _core.matrix_power
multi_dot = _core.multi_dot
solve = _core.solve
svdvals = _core.svdvals
matrix_transpose = _core.matrix_transpose
vecdot = _core.vecdot
cross = _core.cross
tri_inv = _core.tri_inv

EigResult = namedtuple("EigResult", ["eigenvalues", "eigenvectors"])
EighResult = namedtuple("EighResult", ["eigenvalues", "eigenvectors"])
LstsqResult = namedtuple("LstsqResult", ["x", "residuals", "rank", "s"])
QRResult = namedtuple("QRResult", ["Q", "R"])
SlogdetResult = namedtuple("SlogdetResult", ["sign", "logabsdet"])
SVDResult = namedtuple("SVDResult", ["U", "S", "Vh"])


if TYPE_CHECKING:

    @overload
    def svd(x: Array, /, full_matrices: bool = True, compute_uv: Literal[True] = True) -> SVDResult: ...
    @overload
    def svd(x: Array, /, full_matrices: bool = True, *, compute_uv: Literal[False]) -> Array: ...


def svd(x: Array, /, full_matrices: bool = True, compute_uv: bool = True) -> SVDResult | Array:
    """Factor each matrix as U diag(S) Vh, with falling singular values S, or compute these alone.

    >>> import tme
    >>> tme.linalg.svd(tme.eye(2)).S.tolist()
    [1.0, 1.0]
    """
    return SVDResult(*_core.svd(x, full_matrices)) if compute_uv else _core.svdvals(x)


def outer(x1: Array, x2: Array, /) -> Array:
    """Multiply each element of a vector with each of another one."""
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer: takes vectors, not arrays of {x1.ndim} and {x2.ndim} dimensions")
    return _core.outer(x1, x2)


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """Take the diagonal of each matrix, or the one that lies `offset` columns to the right of it.

    >>> import tme
    >>> tme.linalg.diagonal(tme.reshape(tme.arange(4), (2, 2))).tolist()
    [0, 3]
    """
    return _core.diagonal(x, offset, -2, -1)


def trace(x: Array, /, *, offset: int = 0, dtype: _DtypeLike | None = None) -> Array:
    """Sum up the diagonal of each matrix."""
    return _core.trace(x, offset, -2, -1, dtype)


def vector_norm(x: Array, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False, ord: float = 2) -> Array:
    """Compute the norm of vectors along axes, of all elements without any.

    >>> import tme
    >>> tme.linalg.vector_norm(tme.array([3.0, 4.0])).item()
    5.0
    """
    return _core.vector_norm(x, axis, ord, keepdims)


def _order(ord: float | str | None) -> str | None:
    return ord if ord is None or isinstance(ord, str) else f"{ord:g}"


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> Array:
    """Compute the norm of each matrix: 'fro' of its elements, 'nuc', 2 and -2 of its singular values, 1, -1, inf and -inf of its
    columns and rows.
    """
    return _core.matrix_norm(x, _order(ord), keepdims)


def norm(x: Array, /, ord: float | str | None = None, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Array:
    """Compute norms as NumPy does: of vectors along one axis, of matrices along two, of all elements without any.

    >>> import tme
    >>> tme.linalg.norm(tme.array([[3.0, 4.0], [0.0, 2.0]]), axis=1).tolist()
    [5.0, 2.0]
    """
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if len(axes) < 2 or (axis is None and ord is None):
        if isinstance(ord, str):
            raise ValueError(f"norm: ord is {ord!r}, expected a number for vectors")
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(f"norm: {len(axes)} axes, expected one of vectors or two of matrices")
    of_matrices = matrix_norm(_core.moveaxis(x, axes, (-2, -1)), keepdims=keepdims, ord=ord)
    return _core.moveaxis(of_matrices, (-2, -1), axes) if keepdims else of_matrices


def cond(x: Array, /, p: float | str | None = None) -> Array:
    """Compute the condition number of each matrix: a norm of it, of those that matrix_norm has, times that of its inverse."""
    return _core.cond(x, _order(p))


def matrix_rank(x: Array, /, *, rtol: float | Array | None = None) -> Array:
    """Count the singular values of each matrix that are above rtol times the largest."""
    return _core.matrix_rank(x, rtol)


def pinv(x: Array, /, *, rtol: float | Array | None = None) -> Array:
    """Compute the pseudo-inverse of each matrix; singular values below rtol times the largest count as zero."""
    return _core.pinv(x, rtol)


def qr(x: Array, /, *, mode: Literal["reduced", "complete"] = "reduced") -> QRResult:
    """Factor each matrix as Q R, with orthonormal columns in Q and an upper triangular R.

    >>> import tme
    >>> [y.shape for y in tme.linalg.qr(tme.ones((3, 2)))]
    [(3, 2), (2, 2)]
    """
    return QRResult(*_core.qr(x, mode))


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """Factor each Hermitian positive definite matrix as L times its adjoint, or with upper=True as that of U times U.

    >>> import tme
    >>> tme.linalg.cholesky(tme.array([[4.0, 2.0], [2.0, 5.0]])).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    return _core.cholesky(x, upper)


def eigh(x: Array, /, *, UPLO: Literal["L", "U"] = "L") -> EighResult:
    """Compute the eigenvalues of each Hermitian matrix, ascending, and its orthonormal eigenvectors, which are columns.

    >>> import tme
    >>> tme.linalg.eigh(tme.array([[2.0, 0.0], [0.0, 1.0]])).eigenvalues.tolist()
    [1.0, 2.0]
    """
    return EighResult(*_core.eigh(x, UPLO))


def eigvalsh(x: Array, /, *, UPLO: Literal["L", "U"] = "L") -> Array:
    """Compute the eigenvalues of each Hermitian matrix, ascending."""
    return _core.eigvalsh(x, UPLO)


def eig(x: Array, /) -> EigResult:
    """Compute the eigenvalues of each matrix, and its eigenvectors, which are columns of norm 1; both are complex."""
    return EigResult(*_core.eig(x))


def slogdet(x: Array, /) -> SlogdetResult:
    """Compute the determinant of each matrix as its sign and the logarithm of its size.

    >>> import tme
    >>> tme.linalg.slogdet(tme.eye(2)).sign.item()
    1.0
    """
    return SlogdetResult(*_core.slogdet(x))


def lstsq(a: Array, b: Array, /, rcond: float | None = None) -> LstsqResult:
    """Find the x for which the norm of b - a x is the least, and of those the one of least norm.

    >>> import tme
    >>> tme.linalg.lstsq(tme.array([[1.0], [1.0]]), tme.array([1.0, 3.0])).rank.item()
    1
    """
    return LstsqResult(*_core.lstsq(a, b, rcond))


def solve_triangular(a: Array, b: Array, /, *, upper: bool = False, unit_diagonal: bool = False) -> Array:
    """Solve a x = b for each triangular matrix a, of which that triangle alone is read."""
    return _core.solve_triangular(a, b, upper, unit_diagonal)


def solve_banded(l_and_u: tuple[int, int], ab: Array, b: Array, /) -> Array:
    """Solve a x = b for each matrix with so many diagonals below and above the main one, which are the rows of ab."""
    return _core.solve_banded(ab, b, *l_and_u)
