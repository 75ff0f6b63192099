#!/usr/bin/env python3
"""tests/same_bits gives the same hashes in every run and for every number of threads.

ctest: timeout=300
"""
import os
import re
import subprocess
import sys
import unittest

SOURCE = os.environ.get("TME_SOURCE_DIR", ".")
BUILD = os.environ.get("TME_BUILD_DIR", "build")


def hashes(count, **env):
    r = subprocess.run([sys.executable, os.path.join(SOURCE, "tests", "same_bits"), BUILD, "--random", str(count)],
                       capture_output=True, text=True, env=dict(os.environ, **env))
    return r.returncode, r.stdout, r.stderr


class SameBits(unittest.TestCase):
    @unittest.skipUnless(os.path.exists(os.path.join(BUILD, "lib", "libtme-llvm.so")), "no module of the compiler")
    def test_same(self):
        code, first, errors = hashes(4, TME_THREADS="1")
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(hashes(4, TME_THREADS="2", TME_MATRIX_SEED="another"), (code, first, errors))
        lines = first.splitlines()
        kinds = ("any", "integers", "float32", "float16", "bfloat16")
        self.assertEqual([line[17:] for line in lines], [f"random {kind} {seed} {of}" for kind in kinds for seed in range(4)
                                                         for of in ("program", "reference", "cpu", "device")])
        for line in lines:
            self.assertRegex(line, r"^[0-9a-f]{16} ")
        hash_of = {line[17:]: line[:16] for line in lines}
        for seed in range(4):
            self.assertEqual(len({hash_of[f"random integers {seed} {of}"] for of in ("reference", "cpu", "device")}), 1)
        programs = [h for name, h in hash_of.items() if name.endswith("program")]
        self.assertEqual(len(set(programs)), len(programs))

    def test_missing_build(self):
        r = subprocess.run([sys.executable, os.path.join(SOURCE, "tests", "same_bits"), "missing"], capture_output=True,
                           text=True)
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("missing", r.stderr)


if __name__ == "__main__":
    unittest.main()
