"""The examples run, and what they compute is what they say."""
# ctest: timeout=600

import os
import pathlib
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(__file__).parents[2]
MODEL = SOURCE / "build" / "minilm" / "model.safetensors"
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")


@pytest.mark.skipif(SANITIZED, reason="takes long with sanitizers")
@pytest.mark.parametrize("script", sorted((SOURCE / "examples" / "python").glob("*.py")), ids=lambda path: path.stem)
def test_example(script):
    if "minilm" in script.read_text() and not MODEL.exists():
        pytest.skip("no model: ./run fetches it")
    done = subprocess.run([sys.executable, script], cwd=SOURCE, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout
