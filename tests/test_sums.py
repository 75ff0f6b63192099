#!/usr/bin/env python3
"""Long sums, on every backend and along every axis: the error is at most (512 + log2 n) eps of the sum of magnitudes.

What is summed is mostly a view that repeats its elements, so that 1e8 terms need no memory where they are fused.

ctest: timeout=900
"""
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np

TME = os.environ.get("TME_PROGRAM", "build/bin/tme")
FULL = os.environ.get("TME_MATRIX") == "full"
MLX = os.path.exists(os.path.join(os.environ.get("TME_BUILD_DIR", "build"), "lib", "libtme-mlx.so"))
EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "complex64": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}


def terms(backend):
    """So many terms a sum has; the plain loops write views out before they sum them."""
    if backend == "cpu":
        return 100_000_000 if FULL else 20_000_000
    return 20_000_000 if FULL else 2_000_000


def numbers(value):
    """Values of the program's JSON as an array: complex numbers are pairs, and what JSON has no number for is a text."""
    return np.array(value, dtype=np.float64)


class Sums(unittest.TestCase):
    backend = None

    @classmethod
    def setUpClass(cls):
        if cls.backend is None:
            raise unittest.SkipTest("the base of the others")
        cls.dir = tempfile.TemporaryDirectory()
        random = np.random.default_rng(20)
        cls.data = {
            "tenth": np.full((1000, 8), 0.1),
            "alternating": np.where(np.arange(8000).reshape(1000, 8) % 16 < 8, 1.0, -0.99),
            "random": random.standard_normal((1000, 8)),
            "positive": random.random((1000, 8)),
        }

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    def run_program(self, lines, **files):
        """The values of several expressions, evaluated together."""
        arguments = []
        for name, data in files.items():
            path = os.path.join(self.dir.name, name + ".npy")
            np.save(path, data)
            arguments.append(f"{name}={path}")
        out = subprocess.run([TME, "eval", "--json", "--backend", self.backend, ",".join(lines), *arguments],
                             capture_output=True, text=True, timeout=800,
                             env=dict(os.environ, TME_MLX_COMPILE="0"))  # sums are the same without g++
        self.assertEqual(out.returncode, 0, out.stderr)
        return [numbers(r["values"]) for r in json.loads(out.stdout)["results"]]

    def expect(self, what, got, want, magnitude, n, dtype="float32", factor=1):
        """Within the bound of a sum; 16-bit results are sums of f32, rounded once."""
        sum_eps = EPS["float32"] if dtype in ("bfloat16", "float16") else EPS[dtype]
        bound = factor * (512 + math.log2(n)) * sum_eps * magnitude + EPS[dtype] * np.abs(want)
        error = np.abs(got - want)
        if not np.all(error <= bound):
            worst = np.max(error / np.maximum(magnitude, 1e-300)) / sum_eps
            self.fail(f"{self.backend}: {what} of {n} {dtype}: {got.ravel()[:3]} instead of "
                      f"{np.asarray(want, float).ravel()[:3]}, {worst:.3g} eps")

    def test_sums_along_every_axis(self):
        n = terms(self.backend)
        for dtype in ("float32", "float64", "bfloat16"):
            for name, data in self.data.items():
                x = data.astype(dtype if dtype != "bfloat16" else "float32")
                cast = f"astype(x, {dtype})"
                if dtype == "bfloat16":  # what is summed are the rounded numbers
                    x = (x.view(np.uint32) + 0x7FFF + (x.view(np.uint32) >> 16 & 1) & 0xFFFF0000).view(np.float32)
                wide = x.astype(np.longdouble)
                times = n // 8000
                lines = [
                    f"sum(broadcast_to({cast}, [{times}, 1000, 8]), axis=(0, 1))",  # down few columns
                    f"sum(broadcast_to({cast}.T, [{times}, 8, 1000]), axis=(0, 2))",  # along rows
                    f"sum(broadcast_to({cast}, [{times}, 1000, 8]))",
                    f"mean(broadcast_to({cast}, [{times}, 1000, 8]), axis=(0, 1))",
                    f"sum(broadcast_to({cast}, [{times}, 1000, 8]), axis=0)[0]",
                ]
                columns, rows, all_, mean, over = self.run_program(lines, x=x)
                want, magnitude = times * wide.sum(axis=0), times * np.abs(wide).sum(axis=0)
                self.expect(name + " down columns", columns, want, magnitude, n // 8, dtype)
                self.expect(name + " along rows", rows, want, magnitude, n // 8, dtype)
                self.expect(name + ", all", all_, want.sum(), magnitude.sum(), n, dtype)
                self.expect(name + ", mean", mean, 8 * want / n, 8 * magnitude / n, n // 8, dtype)
                self.expect(name + " over the first axis", over, times * wide[0], times * np.abs(wide[0]), times, dtype)

    def test_sums_of_memory(self):
        """Rows of memory, each walked in its own way: long rows, few and many columns, a middle axis; complex numbers."""
        n = terms(self.backend) // 5
        random = np.random.default_rng(21).random(n, dtype=np.float32)
        shapes = [((n,), 0), ((n // 40, 40), 0), ((n // 700, 700), 0), ((40, n // 40), 1), ((8, n // 80, 10), 1)]
        for name, x in (("random", random), ("tenth", np.full(n, 0.1, np.float32))):
            lines, wants = [], []
            for shape, axis in shapes:
                size = int(np.prod(shape))
                of_shape = f"reshape(x[:{size}], [{','.join(map(str, shape))}])"
                want = x[:size].reshape(shape).sum(axis=axis, dtype=np.longdouble)
                lines += [f"sum({of_shape}, axis={axis})", f"sum(astype({of_shape}, complex64) * {of_shape}, axis={axis})"]
                square = np.square(x[:size]).reshape(shape).sum(axis=axis, dtype=np.longdouble)
                wants += [(want, shape, axis), (square, shape, axis)]
            for got, (want, shape, axis) in zip(self.run_program(lines, x=x), wants):
                if got.ndim > np.ndim(want):
                    got = got[..., 0]
                self.expect(f"{name} {shape} over axis {axis}", got, want, want, shape[axis])

    def test_what_is_made_of_sums(self):
        n = terms(self.backend) // 40
        got = self.run_program([
            f"mean(ones([{n}, 40], float32), axis=0)[:2]",
            f"logsumexp(zeros([{n}, 40], float32), axis=0)[:2]",
            f"softmax(zeros([{n}, 40], float32), axis=0)[5, :2]",
            f"log_softmax(zeros([{n}, 40], float32), axis=0)[5, :2]",
            f"logsumexp(zeros([8, {5 * n}], float32), axis=1)[:2]",
            f"softmax(zeros([8, {5 * n}], float32), axis=1)[:2, 7]",
            f"rms_norm(full([2, {20 * n}], 0.1, float32), eps=0)[0, :2]",
            f"std(broadcast_to(linspace(100, 163, 64, dtype=float32), [{n}, 64]), axis=0)[:2]",
        ])
        wants = [1, math.log(n), 1 / n, -math.log(n), math.log(5 * n), 1 / (5 * n), 1, 0]
        for what, value, want in zip(["mean", "logsumexp", "softmax", "log_softmax"] + ["along rows"] * 3 + ["std"], got, wants):
            self.expect(what, value, want, max(abs(want), 1), n, factor=2)

    def test_products_of_many_numbers(self):
        n, x = terms(self.backend) // 10, np.float32(1.0000012)
        power = np.exp(n // 8 * np.log(x.astype(np.longdouble)))
        got = self.run_program([f"prod(broadcast_to(astype(x, float32), [{n // 8}, 8]), axis=0)[:2]",
                                f"prod(broadcast_to(astype(x, float32), [8, {n // 8}]), axis=1)[:2]"], x=x.reshape(1))
        for value in got:
            self.expect("product", value, power, power, n // 8)

    def test_infinities_stay(self):
        """What is lost in an addition is unknown where it was infinite."""
        got = self.run_program(["sum(broadcast_to(x, [100003, 3]), axis=0)",
                                "sum(concatenate([full([100003], -inf, float32), ones([9], float32)], axis=0))",
                                "sum(concatenate([full([100003], 3e38, float32), ones([9], float32)], axis=0))"],
                               x=np.array([np.inf, np.nan, -np.inf], np.float32))
        np.testing.assert_array_equal(got[0], [np.inf, np.nan, -np.inf])
        self.assertEqual((float(got[1]), float(got[2])), (-np.inf, np.inf))


for name in ["cpu", "nojit"] + (["mlx"] if MLX else []):
    globals()[name.capitalize()] = type(name.capitalize(), (Sums,), {"backend": name})
del name

if __name__ == "__main__":
    program = unittest.main(exit=False)
    sys.exit(0 if program.result.wasSuccessful() else 1)
