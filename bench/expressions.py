"""The expressions of workloads.py in the words of each library."""
import math

import numpy

SAME = ("exp log sin cos tan tanh sinh cosh asin acos atan asinh acosh atanh atan2 expm1 log1p log2 exp2 sqrt cbrt hypot abs "
        "floor maximum minimum where real imag conj sigmoid erf take_along_axis").split()
BLOCK = 65521  # so many numbers are drawn, and repeat: a prime, so that no row is like the next


def axes(axis):
    return tuple(axis) if isinstance(axis, list) else axis


class NumPy:
    """A method for each word, and the dtypes."""

    def __init__(self, xp=numpy):
        self._xp = xp
        self.none, self.true, self.false = None, True, False
        for name in SAME:
            known = [n for n in (name, "arc" + name[1:]) if hasattr(xp, n)]
            if known and not hasattr(self, name):
                setattr(self, name, getattr(xp, known[0]))
        for name in ("float16 bfloat16 float32 float64 complex64 complex128 int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
                     "bool_").split():
            if hasattr(xp, name):
                setattr(self, name, getattr(xp, name))

    def _dtype(self, name):
        if not hasattr(self, name):
            raise ValueError(f"no dtype {name}")
        return getattr(self, name)

    def _prepare(self, workload):
        """Before its arrays are made."""

    def _array(self, values, dtype):
        return values.astype(self._dtype(dtype))

    def _numpy(self, result):
        return numpy.asarray(result)

    # ---- the words

    def astype(self, x, dtype):
        return x.astype(dtype)

    def erf(self, x):
        from scipy.special import erf
        return erf(x)

    def sigmoid(self, x):
        return 1 / (1 + self._xp.exp(-x))

    def silu(self, x):
        return x / (1 + self._xp.exp(-x))

    def gelu(self, x):
        return 0.5 * x * (1 + self._xp.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))

    def sum(self, x, axis=None, keepdims=False):
        return self._xp.sum(x, axis=axes(axis), keepdims=keepdims)

    def prod(self, x, axis=None):
        return self._xp.prod(x, axis=axes(axis))

    def mean(self, x, axis=None, keepdims=False):
        return self._xp.mean(x, axis=axes(axis), keepdims=keepdims)

    def max(self, x, axis=None):
        return self._xp.max(x, axis=axes(axis))

    def min(self, x, axis=None):
        return self._xp.min(x, axis=axes(axis))

    def std(self, x, axis=None):
        return self._xp.std(x, axis=axes(axis))

    def var(self, x, axis=None, keepdims=False):
        return self._xp.var(x, axis=axes(axis), keepdims=keepdims)

    def any(self, x, axis=None):
        return self._xp.any(x, axis=axis)

    def all(self, x, axis=None):
        return self._xp.all(x, axis=axis)

    def argmin(self, x, axis=None):
        return self._xp.argmin(x, axis=axis)

    def argmax(self, x, axis=None):
        return self._xp.argmax(x, axis=axis)

    def logsumexp(self, x, axis):
        m = self._xp.max(x, axis=axis, keepdims=True)
        return self._xp.squeeze(self._xp.log(self._xp.sum(self._xp.exp(x - m), axis=axis, keepdims=True)) + m, axis=axis)

    def softmax(self, x, axis=-1):
        e = self._xp.exp(x - self._xp.max(x, axis=axis, keepdims=True))
        return e / self._xp.sum(e, axis=axis, keepdims=True)

    def log_softmax(self, x, axis):
        d = x - self._xp.max(x, axis=axis, keepdims=True)
        return d - self._xp.log(self._xp.sum(self._xp.exp(d), axis=axis, keepdims=True))

    def layer_norm(self, x, w, b):
        d = x - self._xp.mean(x, axis=-1, keepdims=True)
        return d / self._xp.sqrt(self._xp.mean(d * d, axis=-1, keepdims=True) + 1e-5) * w + b

    def rms_norm(self, x, w):
        return x / self._xp.sqrt(self._xp.mean(x * x, axis=-1, keepdims=True) + 1e-5) * w

    def scaled_dot_product_attention(self, q, k, v, causal=False):
        s = self._xp.matmul(q, self._xp.swapaxes(k, -1, -2)) * (1 / math.sqrt(q.shape[-1]))
        if causal:
            s = self._xp.where(self._xp.tri(q.shape[-2], dtype=bool), s, -1e4)
        return self._xp.matmul(self.softmax(s).astype(q.dtype), v)

    def take(self, x, i, axis):
        return self._xp.take(x, i, axis=axis)

    def pad(self, x, before, after, mode="constant"):
        return self._xp.pad(x, list(zip(before, after)), mode=mode)

    def reshape(self, x, shape):
        return self._xp.reshape(x, shape)

    def transpose(self, x, order):
        return self._xp.transpose(x, order)

    def broadcast_to(self, x, shape):
        return self._xp.broadcast_to(x, shape)

    def concatenate(self, arrays, axis):
        return self._xp.concatenate(arrays, axis=axis)

    def stack(self, arrays, axis):
        return self._xp.stack(arrays, axis=axis)

    def _windows(self, x, window):
        """The elements of windows that stand beside each other, in axes 2 and 4."""
        h, w = window
        n, rows, columns, channels = x.shape
        return x[:, :rows // h * h, :columns // w * w].reshape(n, rows // h, h, columns // w, w, channels)

    def max_pool(self, x, window):
        return self._windows(x, window).max(axis=(2, 4))

    def avg_pool(self, x, window):
        return self._windows(x, window).mean(axis=(2, 4))


class Wide(NumPy):
    """What is right: NumPy, floating numbers of all dtypes in float64."""

    def __init__(self):
        super().__init__()
        self.float16 = self.bfloat16 = self.float32 = numpy.float64
        self.complex64 = numpy.complex128

    def _array(self, values, dtype):
        if dtype == "float16":
            return values.astype(numpy.float16).astype(numpy.float64)
        if dtype == "bfloat16":
            bits = values.astype(numpy.float32).view(numpy.uint32)
            bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000
            return bits.astype(numpy.uint32).view(numpy.float32).astype(numpy.float64)
        return values.astype(self._dtype(dtype))

    def erf(self, x):
        return numpy.frompyfunc(math.erf, 1, 1)(x).astype(numpy.float64)


class Torch(NumPy):
    def _array(self, values, dtype):
        return self._xp.from_numpy(values).to(self._dtype(dtype))

    def _numpy(self, result):
        return (result.float() if result.dtype == self._xp.bfloat16 else result).numpy()

    def astype(self, x, dtype):
        return x.to(dtype)

    def erf(self, x):
        return self._xp.erf(x)

    def sigmoid(self, x):
        return self._xp.sigmoid(x)

    def silu(self, x):
        return self._xp.nn.functional.silu(x)

    def gelu(self, x):
        return self._xp.nn.functional.gelu(x, approximate="tanh")

    def prod(self, x, axis=None):
        if isinstance(axis, list):
            raise NotImplementedError("prod over several axes")
        return self._xp.prod(x) if axis is None else self._xp.prod(x, axis)

    def max(self, x, axis=None):
        return x.max() if axis is None else self._xp.amax(x, axes(axis))

    def min(self, x, axis=None):
        return x.min() if axis is None else self._xp.amin(x, axes(axis))

    def std(self, x, axis=None):
        return self._xp.std(x, axes(axis), correction=0)

    def var(self, x, axis=None, keepdims=False):
        return self._xp.var(x, axes(axis), correction=0, keepdim=keepdims)

    def any(self, x, axis=None):
        return x.any() if axis is None else x.any(axis)

    def all(self, x, axis=None):
        return x.all() if axis is None else x.all(axis)

    def logsumexp(self, x, axis):
        return self._xp.logsumexp(x, axis)

    def softmax(self, x, axis=-1):
        return self._xp.softmax(x, axis)

    def log_softmax(self, x, axis):
        return self._xp.log_softmax(x, axis)

    def layer_norm(self, x, w, b):
        return self._xp.nn.functional.layer_norm(x, x.shape[-1:], w, b, 1e-5)

    def rms_norm(self, x, w):
        return self._xp.nn.functional.rms_norm(x, x.shape[-1:], w, 1e-5)

    def scaled_dot_product_attention(self, q, k, v, causal=False):
        return self._xp.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

    def take(self, x, i, axis):
        return self._xp.index_select(x, axis, i)

    def take_along_axis(self, x, i, axis):
        return self._xp.gather(x, axis, i)

    def pad(self, x, before, after, mode="constant"):
        sides = [side for pair in zip(before[::-1], after[::-1]) for side in pair]
        pad = self._xp.nn.functional.pad
        return pad(x, sides) if mode == "constant" else pad(x[None, None], sides, mode="replicate")[0, 0]

    def transpose(self, x, order):
        return x.permute(order)

    def max_pool(self, x, window):
        return self._xp.nn.functional.max_pool2d(x.permute(0, 3, 1, 2), window).permute(0, 2, 3, 1)

    def avg_pool(self, x, window):
        return self._xp.nn.functional.avg_pool2d(x.permute(0, 3, 1, 2), window).permute(0, 2, 3, 1)


class Jax(NumPy):
    def __init__(self, xp):
        super().__init__(xp)
        import jax
        self._jax = jax

    def _prepare(self, workload):
        dtypes = [i["dtype"] for i in workload["inputs"]]
        wide = any(t in workload["text"] or t in dtypes for t in ("int64", "float64", "complex128"))
        self._jax.config.update("jax_enable_x64", wide)

    def _array(self, values, dtype):
        return self._jax.block_until_ready(self._xp.asarray(values, dtype=self._dtype(dtype)))

    def _numpy(self, result):
        return numpy.asarray(result.astype("float32") if result.dtype == self.bfloat16 else result)

    def erf(self, x):
        return self._jax.scipy.special.erf(x)

    def sigmoid(self, x):
        return self._jax.nn.sigmoid(x)

    def silu(self, x):
        return self._jax.nn.silu(x)

    def gelu(self, x):
        return self._jax.nn.gelu(x, approximate=True)

    def logsumexp(self, x, axis):
        return self._jax.nn.logsumexp(x, axis=axis)

    def softmax(self, x, axis=-1):
        return self._jax.nn.softmax(x, axis=axis)

    def log_softmax(self, x, axis):
        return self._jax.nn.log_softmax(x, axis=axis)

    def _reduce(self, x, window, start, function):
        sizes = (1, *window, 1)
        return self._jax.lax.reduce_window(x, start, function, sizes, sizes, "VALID")

    def max_pool(self, x, window):
        return self._reduce(x, window, -math.inf, self._jax.lax.max)

    def avg_pool(self, x, window):
        return self._reduce(x, window, 0.0, self._jax.lax.add) / math.prod(window)


class Mlx(NumPy):
    def _array(self, values, dtype):
        kind = self._dtype(dtype)
        x = self._xp.array(values.astype(dtype if dtype != "bfloat16" else "float32"), dtype=kind)
        self._xp.eval(x)
        return x

    def _numpy(self, result):
        return numpy.array(result.astype(self._xp.float32) if result.dtype == self._xp.bfloat16 else result)

    def erf(self, x):
        return self._xp.erf(x)

    def sigmoid(self, x):
        return self._xp.sigmoid(x)

    def silu(self, x):
        return x * self._xp.sigmoid(x)

    def logsumexp(self, x, axis):
        return self._xp.logsumexp(x, axis=axis)

    def softmax(self, x, axis=-1):
        return self._xp.softmax(x, axis=axis)

    def layer_norm(self, x, w, b):
        return self._xp.fast.layer_norm(x, w, b, 1e-5)

    def rms_norm(self, x, w):
        return self._xp.fast.rms_norm(x, w, 1e-5)

    def scaled_dot_product_attention(self, q, k, v, causal=False):
        return self._xp.fast.scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(q.shape[-1]),
                                                          mask="causal" if causal else None)


LANGUAGES = {"numpy": NumPy, "torch": Torch, "torch-compile": Torch, "jax": Jax, "mlx": Mlx, "mlx-openblas": Mlx}


def uniform(seed, n):
    """Numbers in (0, 1), those of cli/bench/cases.c: splitmix64."""
    z = numpy.uint64(seed) + numpy.arange(1, n + 1, dtype=numpy.uint64) * numpy.uint64(0x9e3779b97f4a7c15)
    for shift, factor in ((30, 0xbf58476d1ce4e5b9), (27, 0x94d049bb133111eb)):
        z = (z ^ (z >> numpy.uint64(shift))) * numpy.uint64(factor)
    return ((z ^ (z >> numpy.uint64(31))) >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53 + 2.0**-54


def values(given, i, which):
    """The numbers of input i of a set, in float64 or complex128: what float32 holds exactly but where it is float64."""
    n = math.prod(given["shape"])
    complex_, whole = "complex" in given["dtype"], "int" in given["dtype"]
    u = uniform(1 + i + 16 * which, min(n, BLOCK) * (2 if complex_ else 1))
    low, span = float(given["low"]), float(given["high"]) - float(given["low"])
    v = numpy.floor(low + (span + 1) * u) if whole else low + span * u
    if not whole and given["dtype"] not in ("float64", "complex128"):
        v = v.astype(numpy.float32).astype(numpy.float64)
    v = v.view(numpy.complex128) if complex_ else v
    return numpy.resize(v, given["shape"])


def make_inputs(language, inputs, which):
    return [language._array(values(given, i, which), given["dtype"]) for i, given in enumerate(inputs)]


def function(workload, language):
    """The expression as a function of its inputs. It is Python, but for words that the language has."""
    *steps, last = workload["text"].split("; ")
    lines = "".join(f"\n    {step}" for step in [*steps, f"return {last}"])
    names = {name: getattr(language, name) for name in dir(language) if not name.startswith("_")}
    exec(f"def workload({', '.join(i['name'] for i in workload['inputs'])}):{lines}", names)
    return names["workload"]


def difference(result, right):
    """max |result - right| / max |right|; what is infinite or no number in both is the same."""
    if result.shape != right.shape:
        raise ValueError(f"its result has the shape {result.shape}, expected {right.shape}")
    wide = numpy.complex128 if right.dtype.kind == "c" else numpy.float64
    a, b = result.astype(wide), right.astype(wide)
    with numpy.errstate(all="ignore"):
        d = numpy.where((a == b) | (numpy.isnan(a) & numpy.isnan(b)), 0, numpy.abs(a - b))
        largest = numpy.max(numpy.abs(b), initial=0, where=numpy.isfinite(b))
        worst = numpy.max(d, initial=0)
    return math.inf if numpy.isnan(worst) else float(worst / largest) if largest > 0 else float(worst)
