#!/usr/bin/env python3
"""tests/layers.py [FOLDER]   the folders of src/ are layers: a file includes only what is of its own layer or of one before it.

Prints each include that is out of order, and ends with 1 if there is one. A folder within a folder is a layer of its own: what
lies beside it may not include it.
"""
import os
import re
import sys

LAYERS = ("base", "cache", "io", "ops/rows", "ops", "ir", "ir/families", "kernel", "lower", "lower/cpu", "emit", "emit/llvm", "memory",
          "context", "backend", "backend/reference", "backend/cpu", "backend/mlx", "backend/mock", "array", "run", "engine")


def layer_of(path):
    folder = os.path.dirname(path)
    return LAYERS.index(folder) if folder in LAYERS else -1


def main():
    src = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src")
    wrong = []
    for folder, _, names in os.walk(src):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), src)
            own = layer_of(path)
            if own < 0:
                wrong.append(f"{path}: its folder is not a layer of tests/layers.py")
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                for line in f:
                    m = re.match(r'\s*#\s*include "([^"]+)"', line)
                    if m and os.path.exists(os.path.join(src, m.group(1))) and layer_of(m.group(1)) > own:
                        wrong.append(f"{path} includes {m.group(1)}, which is of a later layer")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
