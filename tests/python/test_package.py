"""The package as it is installed or built: what an import costs and opens, and the program that comes with it."""

import os
import signal
import subprocess
import sys
import time

import pytest
import tme

FOLDER = os.path.dirname(tme._core.__file__)
PROGRAM = os.path.join(FOLDER, "bin", "tme")
MODULE = [sys.executable, "-m", "tme"]


def python(code):
    """What a new interpreter prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environment).stdout


def opened(code):
    """The base names of the libraries that a new interpreter has open after this code."""
    out = python(code + "\nfor line in open('/proc/self/maps'): print(line.split()[-1])")
    return {os.path.basename(name) for name in out.split("\n") if ".so" in name}


def test_version():
    out = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    assert tme.__version__ in out


def test_import_opens_the_library_alone():
    mine = opened("import tme") - opened("")
    wrong = [name for name in mine if any(part in name.lower() for part in ("llvm", "mlx", "blas", "lapack", "zstd"))]
    assert any(name.startswith("libtme.so") for name in mine)
    assert wrong == []


def test_import_needs_no_numpy():
    assert python("import sys, tme; print('numpy' in sys.modules)") == "False\n"


@pytest.mark.usefixtures("unsanitized")
def test_import_time():
    code = "import time; begin = time.process_time(); import tme; print(time.process_time() - begin)"
    assert min(float(python(code)) for _ in range(7)) <= 0.020


def test_own_openblas_comes_first():
    if not os.path.exists(os.path.join(FOLDER, "lib", "libscipy_openblas.so")):
        pytest.skip("this package has no OpenBLAS of its own")
    libraries = opened("import tme; tme.svd(tme.eye(70) + 1)[1].tolist()")
    assert {name for name in libraries if "blas" in name.lower()} == {"libscipy_openblas.so"}


def test_program_takes_arguments_and_gives_its_status():
    good = subprocess.run([*MODULE, "eval", "1 + 2"], capture_output=True, text=True)
    assert (good.returncode, good.stdout.split()[-1], good.stderr) == (0, "3", "")
    for arguments in (["eval", "1 +"], ["no-such-command"], []):
        ours = subprocess.run([*MODULE, *arguments], capture_output=True)
        its = subprocess.run([PROGRAM, *arguments], capture_output=True)
        assert (ours.returncode, ours.stdout, ours.stderr) == (its.returncode, its.stdout, its.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_program_is_ended_by_signals(number):
    process = subprocess.Popen([*MODULE, "bench", "--all"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not os.path.samefile(f"/proc/{process.pid}/exe", PROGRAM):
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(60) == -number
    finally:
        process.kill()


def test_program_whose_reader_has_gone():
    ends = []
    for command in (MODULE, [PROGRAM]):
        read, write = os.pipe()
        os.close(read)
        ends.append(subprocess.run([*command, "ops"], stdout=write, stderr=subprocess.DEVNULL).returncode)
        os.close(write)
    assert ends[0] == ends[1] != 0
