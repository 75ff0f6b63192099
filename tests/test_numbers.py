#!/usr/bin/env python3
"""Numbers in the program's language: untyped until they meet an array, 64 bits whole, comparisons exact, integers where the
precision has 16 bits. On every backend.

ctest: timeout=120
"""
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

TME = os.environ.get("TME_PROGRAM", "build/bin/tme")
BACKENDS = ["auto", "nojit", "reference"]
if os.path.exists(os.path.join(os.environ.get("TME_BUILD_DIR", "build"), "lib", "libtme-mlx.so")):
    BACKENDS.append("mlx")
CODES = {"<f2": "e", "<f4": "f", "<f8": "d", "<i8": "q", "<i4": "i", "|i1": "b", "|u1": "B", "<u8": "Q", "|b1": "?"}


def write_npy(path, values, descr):
    header = repr({"descr": descr, "fortran_order": False, "shape": (len(values),)})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        f.write(struct.pack(f"<{len(values)}{CODES[descr]}", *values))


class Numbers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp()
        for name, values, descr in (("u8", [0, 44, 100, 200, 255], "|u1"), ("i8", [-128, 127], "|i1"),
                                    ("i32", [-2**31, 1000000, 2**31 - 1], "<i4"), ("d", [1.5, 2.5], "<f8"),
                                    ("f", [1.5, 2.5], "<f4"), ("h", [1.5, math.inf], "<f2"),
                                    ("u64", [0, 2**63, 2**64 - 1, 2**53 + 1], "<u8"),
                                    ("i64", [-1, 2**63 - 1, -2**63, 2**53], "<i8"),
                                    ("near", [100000, 100002], "<i4"), ("b", [False, True], "|b1")):
            write_npy(os.path.join(cls.dir, name + ".npy"), values, descr)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def run_program(self, expression, *options):
        names = [n[:-4] for n in sorted(os.listdir(self.dir))]
        env = dict(os.environ, TME_MLX_COMPILE="0")
        return subprocess.run([TME, "eval", "--json", *options, "--", expression, *(f"{n}={n}.npy" for n in names)],
                              capture_output=True, text=True, cwd=self.dir, env=env, timeout=100)

    def gives(self, cases, *options, backends=BACKENDS):
        """All in one program, so that it is one process a backend."""
        for backend in backends:
            r = self.run_program(", ".join(c[0] for c in cases), "--backend", backend, *options)
            self.assertEqual(r.returncode, 0, r.stderr)
            for (expression, dtype, values), got in zip(cases, json.loads(r.stdout)["results"], strict=True):
                with self.subTest((expression, backend, *options)):
                    self.assertEqual((got["dtype"], got["values"]), (dtype, values))

    def refuses(self, expression, message, *options):
        r = self.run_program(expression, *options)
        self.assertEqual(r.returncode, 1, (expression, r.stdout))
        self.assertIn(message, r.stderr)

    def test_comparisons_are_exact(self):
        self.gives([(e, "bool", [c == "T" for c in want]) for e, want in (
            ("u8 < 300", "TTTTT"), ("u8 == 256", "FFFFF"), ("-1 < u8", "TTTTT"), ("u8 < 44.5", "TTFFF"),
            ("u8 >= 100.5", "FFFTT"), ("u8 != 44.5", "TTTTT"), ("u8 == nan", "FFFFF"), ("u8 < [300, 44, 2, -1, 255]", "TFFFF"),
            ("u8 < [0.5, 44.5, 2, 1e300, 255]", "TTFTF"), ("i32 < 3000000000", "TTT"), ("i32 > -2147483648", "FTT"),
            ("i8 < 128", "TT"), ("i8 >= -128.5", "TT"), ("b == 5", "FF"), ("b < .5", "TF"), ("h < 100000", "TF"),
            ("h == 100000", "FF"), ("f < 1e300", "TT"), ("u64 == i64", "FFFF"), ("u64 > i64", "TTTT"),
            ("i64 < u64", "TTTT"), ("i64 < 9223372036854775808", "TTTT"), ("u64 <= 18446744073709551615", "TTTT"),
            ("u64 == 9007199254740993", "FFFT"), ("i64 == [-1, 1, 1, 9007199254740993]", "TFFF"))])

    def test_what_does_not_fit(self):
        for expression, message in (
                ("clip(u8, 0, 300)", "clip: 300 does not fit in uint8"), ("maximum(u8, -5)", "maximum: -5 does not fit in uint8"),
                ("where(u8 > 100, u8, -1)", "where: -1 does not fit in uint8"), ("u8 % 256", "remainder: 256"),
                ("u8 // 300", "floor_divide: 300"), ("u8 << 256", "left_shift: 256"), ("pad(u8, 1, 1, 256)", "pad: 256"),
                ("u8 + [1, 2, 3, 4, 300]", "add: 300 does not fit in uint8"), ("u8 + arange(5) * 100", "add: 400"),
                ("f * 1e300", "multiply: 1e+300 does not fit in float32"), ("h + 100000", "add: 100000 does not fit in float16"),
                ("i64 + 9223372036854775808", "does not fit in int64"), ("full(2, 300, uint8)", "full: 300 does not fit in uint8"),
                ("full(2, 2.5, int32)", "full: 2.5 does not fit in int32, which holds whole numbers alone"),
                ("full(2, nan, int32)", "full: nan"), ("full(2, 1e6, float16)", "full: 1e+06"),
                ("arange(257, dtype=uint8)", "arange: 256"), ("u8 ** -1", "negative"), ("i64 ** [1, 2, -1, 2]", "negative")):
            with self.subTest(expression):
                self.refuses(expression, message)

    def test_what_fits(self):
        self.gives([("u8 + 1", "uint8", [1, 45, 101, 201, 0]), ("u8 + [1, 1, 1, 1, 0]", "uint8", [1, 45, 101, 201, 255]),
                    ("where(u8 > 100, 1, 0)", "int64", [0, 0, 0, 1, 1]), ("u8 and 300", "bool", [False] + [True] * 4),
                    ("astype(300, uint8)", "uint8", 44), ("b + 300", "int64", [300, 301])])

    def test_64_bits(self):
        least, most, top = -2**63, 2**63 - 1, 2**64 - 1
        self.gives([
            (f"{least}", "int64", least), (f"{top}", "uint64", top), (f"[{top}, 1]", "uint64", [top, 1]),
            ("2 ** 63", "uint64", 2**63), ("-2 ** 63", "int64", least), ("5 % -9223372036854775808", "int64", least + 5),
            (f"arange({most - 1}, {most + 1})", "int64", [most - 1, most]),
            (f"arange({top - 1}, {top})", "uint64", [top - 1]), (f"full(1, {most}, int64)", "int64", [most]),
            (f"full(1, {top}, uint64)", "uint64", [top]), (f"pad(i64, 0, 1, {most})[-1]", "int64", most),
            (f"i64[0] + {least + 1}", "int64", least), (f"u64[0] + {top}", "uint64", top),
            ("arange(u64[3], u64[3] + 1)", "int64", [2**53 + 1]), ("u64 - 9007199254740993 == 0", "bool", [False] * 3 + [True])])
        self.refuses("18446744073709551616", "does not fit in 64 bits")
        self.refuses("[-1, 18446744073709551615]", "no dtype holds")

    def test_untyped_until_they_meet(self):
        root = math.sqrt(2)
        single = struct.unpack("f", struct.pack("f", 1.5 + root))[0]
        r = json.loads(self.run_program("f + sqrt(2)").stdout)["results"][0]
        self.assertEqual((r["dtype"], round(r["values"][0], 6)), ("float32", round(single, 6)))
        self.gives([("d + sqrt(2)", "float64", [1.5 + root, 2.5 + root]), ("d @ [1.5, 0.7]", "float64", 1.5 * 1.5 + 2.5 * .7),
                    ("d + full(2, 0.7)", "float64", [2.2, 3.2]), ("sqrt(2)", "float64", root),
                    ("d * where(d > 2, 0.7, 0.1)", "float64", [1.5 * .1, 2.5 * .7]),
                    ("d * take([0.1, 0.7], [1, 0])", "float64", [1.5 * .7, 2.5 * .1]),
                    ("[2] ** -1", "float64", [.5]), ("2 ** -1", "float64", .5), ("[2, 3] ** [2, 3]", "int64", [4, 27]),
                    ("linspace(0, 1, 3)", "float64", [0, .5, 1]), ("ones(1, float32)", "float32", [1])])

    def test_a_precision_that_was_asked_for(self):
        for asked in ("float16", "float32", "float64"):
            self.gives([("ones(2)", asked, [1, 1]), ("[1, 2]", "int64", [1, 2]), ("d + 1", "float64", [2.5, 3.5])],
                       "--precision", asked, backends=["auto"])
        self.gives([("d + sqrt(2)", "float64", [1.5 + math.sqrt(2), 2.5 + math.sqrt(2)])], "--precision", "float16")

    def test_integers_and_16_bits(self):
        for asked in ("float16", "bfloat16"):
            self.gives([("sqrt(1000000)", asked, 1000), ("i32[1] / 1000", asked, 1000), ("sqrt(i32[1])", asked, 1000),
                        ("std(near)", asked, 1), ("i32[1] * 0.001", asked, 1000), ("std([100000, 100002])", asked, 1)],
                       "--precision", asked)


if __name__ == "__main__":
    run = unittest.main(exit=False).result
    bad = len({getattr(test, "test_case", test).id() for test, _ in run.failures + run.errors})
    print(f"{run.testsRun - bad} passed, {bad} failed")
    sys.exit(bad != 0)
