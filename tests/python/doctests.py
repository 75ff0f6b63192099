"""Examples in texts are run; numbers are compared as numbers, since their last digits are the processor's."""

import doctest
import math
import re

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


class _Checker(doctest.OutputChecker):
    def check_output(self, want, got, optionflags):
        if super().check_output(want, got, optionflags):
            return True
        want = want.replace(doctest.BLANKLINE_MARKER, "")
        wanted, gotten = _NUMBER.findall(want), _NUMBER.findall(got)
        if "".join(_NUMBER.sub("", want).split()) != "".join(_NUMBER.sub("", got).split()):
            return False
        return len(wanted) == len(gotten) and all(
            math.isclose(float(a), float(b), rel_tol=1e-4, abs_tol=1e-5) for a, b in zip(wanted, gotten, strict=True)
        )


def run(text, name, names):
    """Run the examples in the text and return their number; what they define is added to the names.

    One that prints something else than the text says is an AssertionError.
    """
    found = doctest.DocTestParser().get_doctest(text, names, name, name, 0)
    report = []
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(checker=_Checker(), optionflags=flags, verbose=False)
    runner.run(found, out=report.append, clear_globs=False)
    names.update(found.globs)
    assert not report, "".join(report)
    return len(found.examples)
