"""What the array API standard asks for beside the operations themselves."""

import itertools

import pytest
import tme


def test_namespace_info():
    info = tme.__array_namespace_info__()
    assert info.default_device() in info.devices()
    assert info.capabilities()["max dimensions"] == len(tme.zeros((1,) * 16).shape)
    with pytest.raises(ValueError, match="16"):
        tme.zeros((1,) * 17)
    assert info.default_dtypes()["real floating"] == tme.asarray(1.5).dtype
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", "complex64", "complex128"}
    for name, dtype in info.dtypes().items():
        assert getattr(tme, name) is dtype
    with pytest.raises(ValueError, match="gpu7"):
        info.dtypes(device="gpu7")


def test_default_dtypes_are_those_of_the_engine():
    with tme.Engine(precision="float64"):
        assert tme.__array_namespace_info__().default_dtypes()["real floating"] == tme.float64
        assert tme.result_type(tme.int8, 0.5) == tme.float64


@pytest.mark.parametrize("dtype", [d for d in tme.dtypes if d.kind in "fc"])
def test_finfo(dtype):
    limits = tme.finfo(dtype)
    assert limits == tme.finfo(tme.zeros(1, dtype=dtype)) == tme.finfo(dtype.name)
    assert limits.dtype.kind == "f" and limits.bits == 8 * limits.dtype.itemsize
    one = tme.ones((), dtype=limits.dtype)
    # Each evaluated by itself, since 16-bit floats are float32 within a kernel.
    assert (one + limits.eps).eval() > one and (one + limits.eps / 4).eval() == one
    assert tme.isfinite((one * limits.max).eval()) and not tme.isfinite((one * limits.max * 2).eval())
    assert limits.min == -limits.max
    if limits.dtype.name != "bfloat16" and limits.bits > 8:
        np = pytest.importorskip("numpy")
        theirs = np.finfo(dtype.name)
        for name in ("bits", "eps", "max", "min", "smallest_normal"):
            assert getattr(limits, name) == getattr(theirs, name)


@pytest.mark.parametrize("dtype", [d for d in tme.dtypes if d.kind in "iu"])
def test_iinfo(dtype):
    limits = tme.iinfo(dtype)
    x = tme.array([limits.min, limits.max], dtype=dtype)
    assert x.tolist() == [limits.min, limits.max]
    assert (x + 1).tolist()[1] == limits.min
    assert limits.dtype is dtype and limits.bits == 8 * dtype.itemsize


def test_limits_of_what_has_none():
    for f, dtype in ((tme.finfo, tme.int8), (tme.finfo, tme.bool), (tme.iinfo, tme.bool), (tme.iinfo, tme.float32)):
        with pytest.raises(ValueError, match=dtype.name):
            f(dtype)
    with pytest.raises(TypeError):
        tme.finfo("float33")


def test_isdtype():
    assert tme.isdtype(tme.float16, "real floating") and tme.isdtype(tme.uint8, "integral")
    assert not tme.isdtype(tme.bool, "numeric") and not tme.isdtype(tme.complex64, "real floating")
    assert tme.isdtype(tme.int8, (tme.float32, "signed integer")) and not tme.isdtype(tme.int8, ())
    with pytest.raises(ValueError, match="'floating'"):
        tme.isdtype(tme.int8, "floating")


# An array of each dtype, and a number of each of Python's types.
OPERANDS = [*(tme.zeros((1,), dtype=d) for d in tme.dtypes), True, 1, 1.0, 1j]


def test_result_type_is_what_operations_give():
    for x, y in itertools.product(OPERANDS, repeat=2):
        if isinstance(x, tme.Array) or isinstance(y, tme.Array):
            assert tme.result_type(x, y) == tme.where(tme.array([True]), x, y).dtype, f"{x!r}, {y!r}"


def test_result_type():
    assert tme.result_type(tme.int8, tme.uint8, tme.float16, 2.5) == tme.float16
    assert tme.result_type(1j, tme.zeros(1), tme.int8) == tme.complex64
    assert tme.result_type(True, 1) == tme.int64
    with pytest.raises(ValueError, match="at least one"):
        tme.result_type()
    with pytest.raises(TypeError):
        tme.result_type("float33")


def test_can_cast():
    for a, b in itertools.product(tme.dtypes, repeat=2):
        assert tme.can_cast(a, b) == (tme.result_type(a, b) == b)
    assert tme.can_cast(tme.zeros(1, dtype=tme.int8), tme.int64)


# What version 2024.12 of the standard names, and what of it is not there yet: an operation that comes is taken out of LACKS.
NAMES = """
    __array_namespace_info__ abs acos acosh add all any arange argmax argmin argsort asarray asin asinh astype atan atan2
    atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor broadcast_arrays
    broadcast_to can_cast ceil clip concat conj copysign cos cosh count_nonzero cumulative_prod cumulative_sum diff divide
    e empty empty_like equal exp expand_dims expm1 eye finfo flip floor floor_divide from_dlpack full full_like greater
    greater_equal hypot iinfo imag inf isdtype isfinite isinf isnan less less_equal linspace log log10 log1p log2
    logaddexp logical_and logical_not logical_or logical_xor matmul matrix_transpose max maximum mean meshgrid min minimum
    moveaxis multiply nan negative newaxis nextafter nonzero not_equal ones ones_like permute_dims pi positive pow prod
    real reciprocal remainder repeat reshape result_type roll round searchsorted sign signbit sin sinh sort sqrt square
    squeeze stack std subtract sum take take_along_axis tan tanh tensordot tile tril triu trunc unique_all unique_counts
    unique_inverse unique_values unstack var vecdot where zeros zeros_like
""".split()
LINALG = """
    cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose outer pinv
    qr slogdet solve svd svdvals tensordot trace vecdot vector_norm
""".split()
FFT = """
    fft fftfreq fftn fftshift hfft ifft ifftn ifftshift ihfft irfft irfftn rfft rfftfreq rfftn
""".split()
LACKS: set[str] = set()


def test_names_of_the_standard():
    assert {name for name in NAMES if not hasattr(tme, name)} == {name for name in LACKS if "." not in name}
    for extension, names in (("linalg", LINALG), ("fft", FFT)):
        there = getattr(tme, extension, None)
        assert {f"{extension}.{name}" for name in names if not hasattr(there, name)} == {
            name for name in LACKS if name.startswith(extension)
        }
