"""Wrong usage is one line that names what is wrong, and where the help is; help itself stays help."""

import pytest

from tests.support.command_line import Cli


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("submit --foo", "no such option: --foo. Try: "),
        ("submit an-agent", "missing argument 'prompt'. Try: "),
        ("cancel", "missing argument 'TASK_ID...'. Try: "),
        ("submit an-agent x y", "got unexpected extra argument(s) (y). Try: "),
        ("submit an-agent x --model", "option '--model' requires an argument"),
        ("submit an-agent x --timeout soon", "invalid value 'soon' for '--timeout': Input should be a valid number, "),
        (
            "run an-agent --slots 0",
            "invalid value '0' for '--slots': Input should be greater than or equal to 1. Try: ",
        ),
        ("results --status done", "invalid value for '--status': 'done' is not one of 'completed', 'failed', "),
        ("results --since yesterday", "--since 'yesterday' is no moment of the past: give a span such as "),
        ("cancel ü", "task id = 'ü': use 1 to 128 printable ASCII characters"),
        ("topology No", "agent 'No' cannot be a name: lower-case letters, digits and hyphens only"),
        ("dlq replay --al", "no such option: --al (Possible options: --all, --help). Try: "),
        ("no-command", "no such command 'no-command'. Try: "),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(cli: Cli, typed: str, told: str) -> None:
    ran = cli(*typed.split())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {told}")
    assert len(ran.err.splitlines()) == 1
    if told.endswith("Try: "):
        assert ran.err.endswith(" --help\n")


@pytest.mark.parametrize("typed", ["", "dlq"])
def test_a_group_without_a_command_shows_its_help_and_no_error(cli: Cli, typed: str) -> None:
    ran = cli(*typed.split())
    assert (ran.code, ran.err) == (2, "")
    assert "Commands" in ran.out
