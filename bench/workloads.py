#!/usr/bin/env python3
"""Draws what `tme bench --sweep` times, and says what comes out: python3 workloads.py

A workload is an expression in the language of `tme eval`, which the libraries' drivers read as Python (expressions.py),
and its inputs. How an operand lies in memory is part of the expression: `x.T`, `x[:, ::2]`, `broadcast_to(x, [5, 7])`. The
same seed and number give the same workload, whichever others are drawn.

Lines of JSON in, a line of JSON out for each:

    (start)                                      {"ready": "numpy 2.1"} or {"error": "why"}
    {"draw": 7, "seed": 1, "small": false}       {"kind": ..., "text": ..., "inputs": [...], "tolerance": ...}
    {"workload": {...}}                          {"ready": true, "expected": a file that has NumPy's result in float64}

`python3 workloads.py --kinds` lists the kinds.
"""
import json
import math
import os
import random
import sys
import tempfile

TOLERANCE = {"float64": 1e-9, "complex128": 1e-9, "float32": 1e-4, "complex64": 1e-4, "float16": 2e-2, "bfloat16": 6e-2}
# Where functions are defined and their values moderate.
FUNCTIONS = {"exp": (-10, 5), "log": (0.01, 100), "sin": (-30, 30), "cos": (-30, 30), "tan": (-1.5, 1.5), "tanh": (-5, 5),
             "sinh": (-5, 5), "cosh": (-5, 5), "asin": (-1, 1), "acos": (-1, 1), "atan": (-10, 10), "asinh": (-10, 10),
             "atanh": (-0.95, 0.95), "expm1": (-3, 3), "log1p": (-0.9, 10), "log2": (0.01, 100), "exp2": (-10, 5),
             "sqrt": (0, 100), "cbrt": (0.1, 100), "erf": (-3, 3), "sigmoid": (-10, 10), "gelu": (-5, 5), "silu": (-5, 5)}
KINDS = {}


def kind(name):
    """What draws the workloads of a kind: a function of the draw that gives the expression."""
    def add(function):
        KINDS[name] = function
        return function
    return add


class Draw:
    """The choices of one workload. Only random() is the same in all versions of Python."""

    def __init__(self, seed, small):
        self.random = random.Random(seed).random
        self.small = small
        self.inputs = []
        self.tolerance = 0

    def choice(self, items):
        return items[int(self.random() * len(items))]

    def chance(self, share):
        return self.random() < share

    def between(self, low, high):
        """Log-uniform."""
        return math.exp(math.log(low) + self.random() * (math.log(high) - math.log(low)))

    def work(self, low, high):
        return self.between(low / 100, low / 10) if self.small else self.between(low, high)

    def size(self, about):
        """Near a number: as it comes, odd, or a power of two."""
        n = max(1, round(about))
        return self.choice((n, n | 1, 1 << max(0, round(math.log2(n)))))

    def shape(self, elements, rank=None):
        rank = rank or self.choice((1, 2, 2, 2, 3))
        if rank == 1:
            return [self.size(elements)]
        outer = [self.size(self.between(2, max(2, min(64, elements / 64)))) for _ in range(rank - 2)]
        elements = max(1, elements / math.prod(outer))
        rows = self.size(self.between(min(4, elements), max(4, elements / 4)))
        return [*outer, rows, self.size(max(1, elements / rows))]

    def extents(self, work):
        """m, k, n of a product of so many multiplications."""
        side = work ** (1 / 3)
        m, n = (self.size(side * self.between(1 / 6, 6)) for _ in range(2))
        return m, self.size(work / (m * n)), n

    def input(self, shape, dtype, low, high):
        name = "xyzuvw"[len(self.inputs)]
        self.inputs.append({"name": name, "dtype": dtype, "shape": list(shape), "low": low, "high": high})
        return name

    def operand(self, shape, dtype="float32", low=-1, high=1, layouts=("contiguous",)):
        """An operand of a shape, as it is written in the expression."""
        rank = len(shape)
        layout = self.choice([way for way in layouts if rank > 1 or way not in ("transposed", "broadcast")])
        axis = int(self.random() * rank)
        if layout == "transposed":
            axes = self.choice(([1, 0],) if rank == 2 else ([0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1], [1, 0, 2]))
            lies = [shape[axes.index(i)] for i in range(rank)]
            name = self.input(lies, dtype, low, high)
            return f"{name}.T" if rank == 2 else f"transpose({name}, {axes})"
        if layout == "broadcast":
            name = self.input([1 if i == axis else n for i, n in enumerate(shape)], dtype, low, high)
            return f"broadcast_to({name}, {list(shape)})"
        if layout == "strided":
            step = self.choice((2, 3))
            name = self.input([n * step if i == axis else n for i, n in enumerate(shape)], dtype, low, high)
            return f"{name}[{', '.join(f'::{step}' if i == axis else ':' for i in range(rank))}]"
        if layout == "offset":
            before, after = self.choice((1, 3, 5)), self.choice((0, 1, 2))
            name = self.input([n + before + after for n in shape], dtype, low, high)
            return f"{name}[{', '.join([f'{before}:-{after}' if after else f'{before}:'] * rank)}]"
        return self.input(shape, dtype, low, high)


ALL = ("contiguous", "contiguous", "transposed", "strided", "offset", "broadcast")
VIEWS = ("strided", "offset", "broadcast")


def real_dtype(d):
    return d.choice(("float32", "float32", "float32", "float64"))


# ---- products


def product(d, left, right, dtype, low, high):
    """x @ y, or with operands that lie transposed."""
    m, k, n = d.extents(d.work(low, high))
    batch = [d.choice((2, 3, 8))] if d.chance(0.15) and not left and not right else []
    if batch:
        m = max(1, m // batch[0])
    x = d.operand(batch + [m, k], dtype, layouts=("transposed",) if left else ("contiguous",))
    return f"{x} @ {d.operand(batch + [k, n], dtype, layouts=('transposed',) if right else ('contiguous',))}"


@kind("f32 products")
def products(d):
    return product(d, False, False, "float32", 2e6, 8e8)


@kind("products, left transposed")
def left_transposed(d):
    return product(d, True, False, real_dtype(d), 2e6, 4e8)


@kind("products, right transposed")
def right_transposed(d):
    return product(d, False, True, real_dtype(d), 2e6, 4e8)


@kind("products, both transposed")
def both_transposed(d):
    return product(d, True, True, real_dtype(d), 2e6, 4e8)


@kind("products of few rows")
def few_rows(d):
    m, rest = d.size(d.between(2, 64)), d.work(1e6, 4e8)
    k = d.size(math.sqrt(rest / m) * d.between(0.4, 2.5))
    n = d.size(rest / m / k)
    if d.chance(0.25):  # few columns
        return f"{d.operand([n, k], layouts=('contiguous', 'transposed'))} @ {d.operand([k, m])}"
    return f"{d.operand([m, k])} @ {d.operand([k, n], layouts=('contiguous', 'transposed'))}"


@kind("matrix times vector")
def matrix_vector(d):
    rows, columns = d.shape(d.work(3e5, 1.2e7), 2)
    dtype = d.choice(("float32", "float32", "float64", "float16", "bfloat16"))
    return f"{d.operand([rows, columns], dtype, layouts=('contiguous', 'transposed'))} @ {d.operand([columns], dtype)}"


@kind("vector times matrix")
def vector_matrix(d):
    rows, columns = d.shape(d.work(3e5, 1.2e7), 2)
    dtype = d.choice(("float32", "float32", "float64", "float16", "bfloat16"))
    x = d.operand(d.choice(([rows], [1, rows])), dtype)
    return f"{x} @ {d.operand([rows, columns], dtype, layouts=('contiguous', 'transposed'))}"


@kind("bf16 and f16 products")
def half_products(d):
    return product(d, d.chance(0.2), d.chance(0.4), d.choice(("bfloat16", "float16")), 1e6, 1e8)


@kind("int8 products")
def int8_products(d):
    m, k, n = d.extents(d.work(1e6, 1e8))
    x, y = d.operand([m, k], "int8", -10, 10), d.operand([k, n], "int8", -10, 10, ("contiguous", "transposed"))
    return f"astype({x}, int32) @ astype({y}, int32)"


@kind("attention")
def attention(d):
    dtype = d.choice(("float32", "float32", "float32", "bfloat16", "float16"))
    heads, width = d.choice((4, 8, 12, 32)), d.choice((32, 64, 64, 80, 128))
    most = (3e6 if dtype == "float32" else 2e6) if not d.small else 6e4
    way = d.choice(("one query", "long keys", "square"))
    if way == "square":
        queries = keys = d.size(d.between(32, math.sqrt(60 * most / heads / width)))
    else:
        keys = d.size(d.between(64, most / heads / width))
        queries = 1 if way == "one query" else d.size(d.between(2, 60))
    q = d.operand([1, heads, queries, width], dtype)
    k, v = (d.operand([1, heads, keys, width], dtype) for _ in range(2))
    causal = ", causal=true" if way == "square" and d.chance(0.4) else ""
    return f"scaled_dot_product_attention({q}, {k}, {v}{causal})"


# ---- reductions


def axis_of(d, shape):
    """An axis, all of them, or two of three."""
    one = [int(d.random() * len(shape))]
    if d.chance(0.2):
        return "none", shape
    if len(shape) == 3 and d.chance(0.3):
        two = d.choice(([0, 1], [0, 2], [1, 2]))
        return str(two), [shape[i] for i in two]
    return str(one[0]), [shape[one[0]]]


def reduction(d, layouts):
    dtype = d.choice(("float32", "float32", "float32", "float64", "float16", "bfloat16", "int32", "uint8"))
    shape = d.shape(d.work(5e5, 8e6))
    if len(shape) == 1 and "transposed" in layouts:
        shape = d.shape(shape[0], 2)
    axis, extents = axis_of(d, shape)
    names = ("sum", "sum", "mean", "max", "min", "std", "var")
    if dtype in ("int32", "uint8"):
        return f"{d.choice(('sum', 'max', 'min'))}({d.operand(shape, dtype, 0, 20, layouts)}, axis={axis})"
    if dtype in ("float16", "bfloat16"):  # what a sum of many would not fit in
        names = ("mean", "max", "min")
    if dtype == "float32":  # sums one after the other are not exact
        d.tolerance = 1e-3
    if dtype in ("float32", "float64") and d.chance(0.1):
        span = min(0.5, 5 / math.sqrt(math.prod(extents)))
        return f"prod({d.operand(shape, dtype, 1 - span, 1 + span, layouts)}, axis={axis})"
    return f"{d.choice(names)}({d.operand(shape, dtype, -1, 1.5, layouts)}, axis={axis})"


@kind("reductions")
def contiguous_reductions(d):
    return reduction(d, ("contiguous",))


@kind("reductions, transposed")
def transposed_reductions(d):
    return reduction(d, ("transposed",))


@kind("reductions, strided")
def strided_reductions(d):
    return reduction(d, VIEWS)


@kind("argmin, argmax, any, all")
def places(d):
    shape = d.shape(d.work(5e5, 5e6))
    dtype = d.choice(("float32", "float32", "float64", "int32", "uint8"))
    axis, _ = axis_of(d, shape)
    if "[" in axis:
        axis = "1"
    name, x = d.choice(("argmin", "argmax", "any", "all")), d.operand(shape, dtype, 0, 100, ALL)
    if name in ("any", "all"):
        return f"{name}({x} {d.choice(('> 99', '< 101', '> 101', '!= 50'))}, axis={axis})"
    return f"{name}({x}, axis={axis})"


@kind("softmax and norms")
def norms(d):
    rows, columns = d.shape(d.work(2e5, 4e6), 2)
    dtype = d.choice(("float32", "float32", "float32", "float64", "bfloat16", "float16"))
    x, axis = d.operand([rows, columns], dtype, -3, 3, ("contiguous", "contiguous", "transposed", "strided")), d.choice((-1, -1, 0))
    way = d.choice(("softmax", "log_softmax", "logsumexp", "layer_norm", "rms_norm", "written out", "unit"))
    if way in ("softmax", "log_softmax", "logsumexp"):
        return f"{way}({x}, axis={axis})"
    if way == "layer_norm":
        return f"layer_norm({x}, {d.operand([columns], dtype, 0.5, 1.5)}, {d.operand([columns], dtype)})"
    if way == "rms_norm":
        return f"rms_norm({x}, {d.operand([columns], dtype, 0.5, 1.5)})"
    if way == "unit":
        return f"a = {x}; a / sqrt(mean(a * a, axis={axis}, keepdims=true) + 1)"
    return f"a = {x}; (a - mean(a, axis={axis}, keepdims=true)) / sqrt(var(a, axis={axis}, keepdims=true) + 0.5)"


# ---- element by element


def functions(d, dtype, low, high):
    shape = d.shape(d.work(low, high))
    way = d.random()
    if way < 0.1:
        return f"atan2({d.operand(shape, dtype, -2, 2, ALL)}, {d.operand(shape, dtype, -2, 2, ALL)})"
    if way < 0.2:
        return f"hypot({d.operand(shape, dtype, -2, 2, ALL)}, {d.operand(shape, dtype, -2, 2, ALL)})"
    name = d.choice(list(FUNCTIONS))
    return f"{name}({d.operand(shape, dtype, *FUNCTIONS[name], ALL)})"


@kind("f32 functions")
def f32_functions(d):
    return functions(d, "float32", 2e5, 4e6)


@kind("f64 functions")
def f64_functions(d):
    return functions(d, "float64", 3e4, 1e6)


@kind("complex functions")
def complex_functions(d):
    dtype = d.choice(("complex64", "complex64", "complex128"))
    shape = d.shape(d.work(2e4, 5e5))
    x = d.operand(shape, dtype, -2, 2, ALL)
    if d.chance(0.35):
        y = d.operand(shape, dtype, -2, 2, ALL)
        return d.choice((f"{x} * {y}", f"{x} * conj({y})", f"{x} / ({y} + 3)", f"real({x} * conj({y}))"))
    return d.choice((f"exp({x})", f"log({x})", f"sqrt({x})", f"sin({x})", f"tanh({x})", f"abs({x})", f"{x} ** 2",
                     f"imag({x} * {x})"))


@kind("polynomials and powers")
def polynomials(d):
    dtype = real_dtype(d)
    x = d.operand(d.shape(d.work(1e5, 4e6)), dtype, 0.25, 1.5, ALL)
    way = d.choice(("horner", "powers", "power", "variable"))
    if way == "horner":
        text = "0.5"
        for _ in range(int(d.between(2, 14))):
            text = f"({text} * a + {d.choice((-1.5, -0.75, 0.125, 0.25, 1.25))})"
        return f"a = {x}; {text}".replace("+ -", "- ")
    if way == "powers":
        return f"a = {x}; " + d.choice(("a ** 3 + 2 * a ** 2 - a + 1", "a * a * a - a * a + 3", "1 + a ** 2 / 2 + a ** 4 / 24",
                                        "a ** 5 - a ** 3"))
    if way == "variable":
        shape = d.inputs[0]["shape"]
        d.inputs.clear()
        x = d.operand(shape, dtype, 0.25, 1.5)
        return f"{x} ** {d.operand(shape, dtype, -2, 2)}"
    return f"{x} ** {d.choice((2, 3, 4, 7, 10, -1, -2, 0.5, 1.5, -0.5, 2.3))}"


INTEGERS = {"int8": 120, "uint8": 250, "int16": 30000, "int32": 2**31 - 2**10, "int64": 10**15, "uint32": 2**32 - 2**10}


@kind("integers")
def integers(d):
    dtype = d.choice(("int8", "uint8", "int16", "int32", "int32", "int64", "int64", "uint32"))
    unsigned, shape, most = dtype[0] == "u", d.shape(d.work(3e5, 3e6)), INTEGERS[dtype]
    large = dtype not in ("int8", "uint8")
    way = d.choice(("//", "%", "**", "bits", "choice", "variable", "variable **"))
    few = 4 if not large else 30 if dtype == "int16" else 1000
    if way in ("//", "%"):
        x = d.operand(shape, dtype, 0 if unsigned else -most, most, ALL)
        return f"{x} {way} {d.choice((3, 7, 10, 16, 100, 1000) if large else (3, 7, 10, 16, 100))}"
    if way == "**":
        return f"{d.operand(shape, dtype, 0 if unsigned else -few, few, ALL)} ** {d.choice((2, 3))}"
    if way == "bits":
        x, y = (d.operand(shape, dtype, 0, most, ALL) for _ in range(2))
        return d.choice((f"{x} & {y}", f"({x} ^ {y}) | 5", f"({x} >> 2) + ({y} & 15)", f"({x} & 7) << 2"
                         if len(d.inputs) == 1 else f"({x} & 7) + ({y} >> 4)"))
    if way == "choice":
        x = d.operand(shape, dtype, 0 if unsigned else -(most // 4), most // 4, ALL)
        return f"a = {x}; where(a % 2 == 0, a // 2, 3 * a + 1)"
    if way == "variable":
        x, y = d.operand(shape, dtype, 0 if unsigned else -most, most, ALL), d.operand(shape, dtype, 1, 50)
        return f"{x} {d.choice(('//', '%'))} {y}"
    x = d.operand(shape, dtype, 0 if unsigned else -few // 100 - 2, few // 100 + 2, ALL)
    return f"{x} ** {d.operand(shape, dtype, 0, 4)}"


@kind("conversions")
def conversions(d):
    if d.chance(0.25):  # a picture, as a network wants it
        side = d.size(math.sqrt(d.work(5e4, 1.5e6)))
        x = d.operand([1, side, side, 3], "uint8", 0, 255)
        return f"reshape(transpose((astype({x}, float32) / 255 - 0.5) / 0.25, [0, 3, 1, 2]), [-1])"
    source, target = d.choice((("float32", "uint8"), ("float32", "int32"), ("float32", "int64"), ("float64", "float32"),
                               ("float32", "float16"), ("float32", "bfloat16"), ("int32", "float32"), ("uint8", "float32"),
                               ("int64", "float64"), ("float16", "float32"), ("float64", "int64"), ("int64", "int32"),
                               ("float32", "float64"), ("int32", "int64"), ("bfloat16", "float32"), ("int16", "float32")))
    x = d.operand(d.shape(d.work(3e5, 6e6)), source, 0, 250, ALL)
    return f"astype({x} {d.choice(('+ 1', '* 0.5') if 'float' in source else ('+ 1',))}, {target})" if d.chance(
        0.3) else f"astype({x}, {target})"


@kind("broadcast chains")
def chains(d):
    """Operands of one shape, rows and columns of it, in random order."""
    dtype = d.choice(("float32", "float32", "float32", "float64", "float16", "bfloat16"))
    rows, columns = d.shape(d.work(3e5, 3e6), 2)
    operands = [d.operand([rows, columns], dtype, 0.5, 1.5, ALL)]
    for _ in range(d.choice((1, 2, 3))):
        shape = d.choice(([rows, columns], [columns], [rows, 1], [1, columns], [1]))
        operands.append(d.operand(shape, dtype, 0.5, 1.5, ALL if shape[0] == rows and len(shape) == 2 else ("contiguous",)))
    text = operands[0]
    for i in range(int(d.between(len(operands), 12))):
        other = operands[(i + 1) % len(operands)]
        text = d.choice((f"({text} + {other})", f"({text} - {other})", f"({text} * {other})", f"{text} / {other}",
                         f"maximum({text}, {other})", f"minimum({text}, {other})", f"tanh({text})", f"abs({text} - 1)",
                         f"where({other} > 1, {text}, {other})", f"sqrt(abs({text}) + 1)", f"exp(-abs({text}))",
                         f"{text} * 0.5"))
        text = f"({text})" if "/ " in text[-12:] or text.endswith("0.5") else text
    for name in (i["name"] for i in d.inputs[:1]):
        text = text if name in text else f"{text} + {operands[0]}"
    return text + "".join(f" + {o}" for o in operands[1:] if o not in text)


# ---- what moves elements


@kind("gathers and takes")
def gathers(d):
    dtype, index = real_dtype(d), d.choice(("int64", "int32"))
    way = d.choice(("rows", "scalars", "columns", "along", "index"))
    if way == "scalars":
        n, many = d.size(d.work(2e4, 8e6)), d.size(d.work(3e4, 1.5e6))
        return f"take({d.operand([n], dtype)}, {d.operand([many], index, 0, n - 1)}, axis=0)"
    rows, width = d.size(d.work(3e3, 1e5)), d.size(d.between(4, 128))
    if way == "columns":
        return f"take({d.operand([width, rows], dtype)}, {d.operand([d.size(d.work(3e3, 3e4))], index, 0, rows - 1)}, axis=1)"
    if way == "along":
        many = d.size(d.between(1, width))
        return f"take_along_axis({d.operand([rows, width], dtype)}, {d.operand([rows, many], index, 0, width - 1)}, axis=1)"
    x, i = d.operand([rows, width], dtype), d.operand([d.size(d.work(3e3, 5e4))], index, 0, rows - 1)
    return f"{x}[{i}]" if way == "index" else f"take({x}, {i}, axis=0)"


@kind("stencils")
def stencils(d):
    dtype = real_dtype(d)
    way = d.choice(("slices", "steps", "differences", "blur", "line"))
    if way == "line":
        x = d.operand([d.size(d.work(1e5, 4e6))], dtype)
        return f"0.25 * {x}[:-2] + 0.5 * {x}[1:-1] + 0.25 * {x}[2:]"
    x = d.operand([max(5, n) for n in d.shape(d.work(5e4, 3e6), 2)], dtype)
    if way == "differences":
        return d.choice((f"{x}[1:] - {x}[:-1]", f"{x}[:, 1:] - {x}[:, :-1]", f"abs({x}[1:, 1:] - {x}[:-1, :-1])"))
    if way == "slices":
        return f"0.5 * {x}[1:-1, 1:-1] + 0.125 * ({x}[:-2, 1:-1] + {x}[2:, 1:-1] + {x}[1:-1, :-2] + {x}[1:-1, 2:])"
    if way == "blur":
        return (f"p = pad({x}, [2, 0], [2, 0], mode='edge'); r = (p[:-4] + 4 * p[1:-3] + 6 * p[2:-2] + 4 * p[3:-1] + p[4:]) / 16; "
                "q = pad(r, [0, 2], [0, 2], mode='edge'); "
                "(q[:, :-4] + 4 * q[:, 1:-3] + 6 * q[:, 2:-2] + 4 * q[:, 3:-1] + q[:, 4:]) / 16")
    step = "p = pad(a, [1, 1], [1, 1]); a = 0.25 * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:]); "
    return f"a = {x}; {step * d.choice((1, 2, 3, 5, 10))}a"


@kind("pooling")
def pooling(d):
    side, channels = d.size(d.between(16, 112)), d.choice((1, 3, 8, 16, 64, 100))
    images = max(1, round(d.work(1e5, 4e6) / side / side / channels))
    x = d.operand([images, side, side, channels])
    window = d.choice((2, 2, 3, 4))
    if d.chance(0.2) and side % window == 0:
        n = side // window
        return f"max(reshape({x}, {[images, n, window, n, window, channels]}), axis=[2, 4])"
    return f"{d.choice(('max_pool', 'avg_pool'))}({x}, [{window}, {window}])"


@kind("concatenations and copies")
def copies(d):
    dtype = d.choice(("float32", "float32", "float64", "uint8", "int64", "float16"))
    rank = d.choice((2, 2, 3))
    shape = d.shape(d.work(2e5, 4e6), rank)
    way = d.choice(("concatenate", "stack", "transpose", "strided"))
    if way in ("concatenate", "stack"):
        axis, parts = int(d.random() * rank), d.choice((2, 2, 3, 4))
        each = [max(1, n // parts) if i == 0 else n for i, n in enumerate(shape)]
        return f"{way}([{', '.join(d.operand(each, dtype, 0, 100, ALL) for _ in range(parts))}], axis={axis})"
    layout = ("transposed",) if way == "transpose" else ("strided", "offset", "broadcast")
    return f"reshape({d.operand(shape, dtype, 0, 100, layout)}, [-1])"


# ---- a workload and what comes out


def draw(seed, index, small=False):
    """Workload `index` of a seed. Each kind comes once in as many workloads as there are kinds."""
    turn, place = divmod(index, len(KINDS))
    order, shuffle = list(KINDS), random.Random(f"{seed} order {turn}").random
    for i in range(len(order) - 1, 0, -1):
        j = int(shuffle() * (i + 1))
        order[i], order[j] = order[j], order[i]
    d = Draw(f"{seed} {index}", small)
    text = KINDS[order[place]](d)
    names = {i["dtype"] for i in d.inputs} | {t for t in TOLERANCE if f", {t})" in text}
    return {"kind": order[place], "text": text, "inputs": d.inputs,
            "tolerance": max([d.tolerance, 1e-9, *(TOLERANCE.get(t, 0) for t in names)])}


def expected(workload):
    """What NumPy makes of it, in float64."""
    import expressions
    wide = expressions.Wide()
    inputs = expressions.make_inputs(wide, workload["inputs"], 0)
    return expressions.function(workload, wide)(*inputs)


def serve(folder):
    def say(answer):
        print(json.dumps(answer), flush=True)

    try:
        import numpy
    except BaseException as e:  # whatever keeps it from loading
        return say({"error": f"NumPy, which says what is right, cannot be imported: {type(e).__name__}: {e}"})
    say({"ready": f"numpy {numpy.__version__}"})
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "draw" in question:
                say(draw(question["seed"], question["draw"], question["small"]))
            else:
                path = os.path.join(folder, "expected.npy")
                with numpy.errstate(all="ignore"):
                    numpy.save(path, expected(question["workload"]))
                say({"ready": True, "expected": path})
        except Exception as e:
            say({"ready": False, "error": " ".join(f"{type(e).__name__}: {e}".split())[:300]})


if __name__ == "__main__":
    if sys.argv[1:] == ["--kinds"]:
        print(*KINDS, sep="\n")
    elif len(sys.argv) > 1:
        sys.exit(__doc__)
    else:
        with tempfile.TemporaryDirectory(prefix="tme-sweep-") as folder:
            serve(folder)
