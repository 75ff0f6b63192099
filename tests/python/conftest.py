"""What all tests of the Python package share."""


def pytest_terminal_summary(terminalreporter):
    """The line by which ./check counts cases."""
    count = {kind: len(terminalreporter.stats.get(kind, [])) for kind in ("passed", "xfailed", "failed", "error")}
    terminalreporter.write_line(f"{count['passed'] + count['xfailed']} passed, {count['failed'] + count['error']} failed")
