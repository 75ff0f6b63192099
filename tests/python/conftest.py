"""What all tests of the Python package share."""

import os
import signal

import pytest

# What a shell runs in the background ignores it, and so does all that this starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def unsanitized():
    """For tests of times and of resident memory, which say nothing under the address sanitizer."""
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the address sanitizer has its own times and keeps freed memory")


def pytest_terminal_summary(terminalreporter):
    """The line by which ./check counts cases."""
    count = {kind: len(terminalreporter.stats.get(kind, [])) for kind in ("passed", "xfailed", "failed", "error")}
    terminalreporter.write_line(f"{count['passed'] + count['xfailed']} passed, {count['failed'] + count['error']} failed")
