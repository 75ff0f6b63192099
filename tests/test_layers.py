#!/usr/bin/env python3
"""The folders of src/ are layers, and tests/layers.py finds an include that is out of order."""
import os
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ.get("TME_SOURCE_DIR", ".")


def layers(*args):
    r = subprocess.run([sys.executable, os.path.join(SOURCE, "tests", "layers.py"), *args], capture_output=True, text=True)
    return r.returncode, r.stdout + r.stderr


class Layers(unittest.TestCase):
    def look_at(self, files):
        with tempfile.TemporaryDirectory() as src:
            for path, text in files.items():
                os.makedirs(os.path.join(src, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(src, path), "w", encoding="utf-8") as f:
                    f.write(text)
            return layers(src)

    def test_sources(self):
        self.assertEqual(layers(), (0, ""))

    def test_in_order(self):
        self.assertEqual(self.look_at({"base/a.h": "#include <stdio.h>\n", "ir/b.h": '#include "base/a.h"\n#include "ir/b.h"\n',
                                       "lower/cpu/c.c": '#include "ir/b.h"\n#include "elsewhere.h"\n'}), (0, ""))

    def test_out_of_order(self):
        found = self.look_at({"base/a.h": "", "lower/fuse.c": '#include "base/a.h"\n  #  include "lower/cpu/b.h"\n', "lower/cpu/b.h": ""})
        self.assertEqual(found, (1, "lower/fuse.c includes lower/cpu/b.h, which is of a later layer\n"))

    def test_unknown_folder(self):
        code, text = self.look_at({"elsewhere/a.c": ""})
        self.assertEqual(code, 1)
        self.assertIn("elsewhere/a.c: its folder is not a layer", text)


if __name__ == "__main__":
    unittest.main()
