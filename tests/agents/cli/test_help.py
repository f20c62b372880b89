import pytest

from agents.core.version import VERSION
from tests.support.command_line import Cli

EXAMPLES = {
    "run": [
        "sutazai run senior-engineer product-manager",
        "sutazai run --all",
        "sutazai run my_package.my_agent:MyAgent",
    ],
    "agents list": ["sutazai agents list --category security --tier opus"],
    "models": ['sutazai models "*-optimizer" --category security --pull'],
    "submit": ["--stream", "git diff | sutazai submit senior-engineer - --priority high --wait"],
    "results": ["sutazai results --follow", "sutazai results --follow --status failed --json | jq .error"],
    "task": ["sutazai task order-17 --agent senior-engineer --json | jq .result.usage"],
    "pause": ['sutazai pause senior-engineer --reason "new model tonight"', "sutazai pause --all --host vm-1"],
    "resume": ["sutazai resume --all"],
    "drain": ['sutazai drain --host vm-1 --reason "kernel update"'],
    "topology": ["sutazai topology senior-engineer product-manager", "sutazai topology --show"],
    "local-model": ["sutazai local-model --port 0 --alias qwen2.5-coder:7b=smollm2:135m"],
    "demo": ["nine tasks with mixed priorities"],
}


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_help_of_each_command_shows_its_examples(cli: Cli, command: str) -> None:
    ran = cli(*command.split(), "--help")
    shown = " ".join(ran.out.split())
    assert ran.code == 0
    for example in EXAMPLES[command]:
        assert example in shown


def test_the_program_alone_tells_its_commands_and_exit_codes(cli: Cli) -> None:
    shown = " ".join(cli().out.split())
    for told in (
        *(command.split()[0] for command in EXAMPLES),
        "0 ok, 1 a fault of this program",
        "8 the model, 9 refused, 130 interrupted",
    ):
        assert told in shown


def test_the_version_is_that_of_the_package(cli: Cli) -> None:
    assert cli("--version").out.strip() == VERSION
