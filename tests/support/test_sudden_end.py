import os
import subprocess
import sys

import pytest

from tests.support.sudden_end import CODE, no_silent_end

ENDS = """
import os, sys
from tests.support.sudden_end import no_silent_end

with no_silent_end():
    if sys.argv[2:] and not os.fork():
        os._exit(0)
    if sys.argv[2:]:
        _, status = os.wait()
        sys.exit(os.waitstatus_to_exitcode(status))
    os._exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("arguments", "code", "is_told"), [(["0"], CODE, True), (["3"], 3, False), (["0", "in a fork"], 0, False)]
)
def test_who_ends_a_run_in_its_middle_makes_it_red(arguments: list[str], code: int, *, is_told: bool) -> None:
    ran = subprocess.run([sys.executable, "-c", ENDS, *arguments], capture_output=True, text=True, check=False)
    assert (ran.returncode, "ended the whole run" in ran.stderr) == (code, is_told)


def test_this_very_run_is_watched() -> None:
    assert os._exit.__module__ == no_silent_end.__module__
