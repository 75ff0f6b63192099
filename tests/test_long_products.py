#!/usr/bin/env python3
"""Products of matrices with a long sum: the error is at most (512 + log2 k) eps of the sum of magnitudes, whatever form a
product takes. The truth is that of float64, or follows from the numbers.

ctest: timeout=300
"""
import json
import math
import os
import subprocess
import sys
import unittest

TME = os.environ.get("TME_PROGRAM", "build/bin/tme")
EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "complex64": 2.0**-23}


def values(backend, text):
    run = subprocess.run([TME, "eval", "--backend", backend, "--json", text], capture_output=True, text=True)
    if run.returncode:
        raise AssertionError(f"{text}: {run.stderr}")
    return [r["values"] for r in json.loads(run.stdout)["results"]]


class Products(unittest.TestCase):
    def expect(self, text, k, dtype="float32", backend="cpu"):
        """`text` gives the largest error, relative to the sum of magnitudes."""
        error = float(values(backend, text)[0])
        bound = (512 + math.log2(k)) * EPS[dtype]
        self.assertLessEqual(error, bound, f"{backend}: {text}")

    def tenths(self, m, k, n, dtype="float32", backend="cpu", turned=False):
        """Of equal numbers every addition rounds to the same side for long."""
        x, y = f"full([{m},{k}], 0.1, dtype={dtype})", f"full([{k},{n}], 0.1, dtype={dtype})"
        if turned:
            x = f"full([{k},{m}], 0.1, dtype={dtype}).T"
        wide = "complex128" if dtype == "complex64" else "float64"
        want = f"(sum(astype(full([1], 0.1, dtype={dtype}), {wide}) ** 2) * {k})"
        self.expect(f"max(abs(astype({x} @ {y}, {wide}) / {want} - 1))", k, dtype, backend)

    def test_tall_and_thin(self):
        self.expect("x = full([400000, 150], 0.1, dtype=float32); w = astype(x[:1, :1], float64) ** 2 * 400000;"
                    "max(abs(astype(x.T @ x, float64) / w - 1))", 400000)
        self.expect("x = astype(sin(reshape(arange(6000000) * 1.0, [40000, 150])), float32); z = astype(x, float64); w = z.T @ z;"
                    "max(abs(astype(x.T @ x, float64) - w)) / max(abs(w))", 40000)

    def test_forms(self):
        for m, k, n in ((1, 3000000, 16), (3, 100000, 600), (8, 9001, 700), (40, 40960, 600), (40, 30011, 600),
                        (150, 20000, 150), (16, 300000, 16), (300, 9000, 310)):
            with self.subTest(shape=(m, k, n)):
                self.tenths(m, k, n)
        self.tenths(130, 60000, 140, turned=True)

    def test_dtypes(self):
        self.tenths(150, 100000, 160, "float64")
        self.tenths(140, 50000, 130, "complex64")

    def test_without_jit(self):
        for backend in "nojit", "reference":
            self.tenths(3, 100000, 5, backend=backend)
            self.tenths(1, 1000000, 1, backend=backend)
            self.tenths(1, 30000, 700, backend=backend)
            self.tenths(700, 30000, 1, backend=backend)
            self.tenths(2, 30000, 3, "float64", backend=backend, turned=True)

    def test_attention_over_many_keys(self):
        for backend, counts in ("cpu", (700, 20000, 300000)), ("nojit", (700, 20000)):
            for keys in counts:
                for causal in "", ", causal=true":
                    self.expect(f"q = zeros([9, 4], dtype=float32); k = zeros([{keys}, 4], dtype=float32); v = full([{keys}, 40], 0.1, dtype=float32);"
                                f"y = scaled_dot_product_attention(q, k, v{causal}); max(abs(astype(y, float64) / astype(v[0], float64) - 1))",
                                2 * keys, backend=backend)

    def test_weights_of_many_keys(self):
        for backend in "cpu", "nojit":
            self.expect("w = attention_weights(zeros([9, 4], dtype=float32), zeros([300000, 4], dtype=float32)); max(abs(astype(w, float64) * 300000 - 1))",
                        300000, backend=backend)

    def test_attention_of_wide_rows(self):
        """Of two keys, one of them 0: the other one's weight is the logistic function of its score."""
        for backend in "cpu", "nojit":
            for width in 700, 100000:
                score = f"(astype(full([1], 0.1, dtype=float32), float64) ** 2 * {width} * {1 / width})"
                self.expect(f"q = full([9, {width}], 0.1, dtype=float32); k = concatenate([full([1, {width}], 0.1, dtype=float32), zeros([1, {width}], dtype=float32)]);"
                            f"v = concatenate([ones([1, 5], dtype=float32), zeros([1, 5], dtype=float32)]);"
                            f"y = scaled_dot_product_attention(q, k, v, scale={1 / width}); max(abs(astype(y, float64) / sigmoid({score}) - 1))",
                            width, backend=backend)

    def test_infinities_stay(self):
        """What is lost in an addition is unknown where it was infinite."""
        got = values("cpu", "x = full([20, 20000], 3e38, dtype=float32); y = ones([20000, 130], dtype=float32); z = x @ y; min(z), max(-z)")
        self.assertEqual([float(v) for v in got], [math.inf, -math.inf])


if __name__ == "__main__":
    program = unittest.main(exit=False)
    sys.exit(0 if program.result.wasSuccessful() else 1)
