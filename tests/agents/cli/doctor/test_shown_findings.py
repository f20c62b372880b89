import asyncio
import io

import pytest
from rich.console import Console

from agents.cli import shown_findings
from agents.cli.shown_findings import finding_table, line_of
from agents.doctor.finding import broken, ok
from tests.support.clinic import Clinic
from tests.support.command_line import Cli


def test_a_table_keeps_to_80_columns_and_names_the_remedy_below_what_is_wrong() -> None:
    console = Console(width=80)
    with console.capture() as shown:
        console.print(finding_table([ok("broker", "there"), broken("models", "x " * 60, "pull it")]))
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[:2] for line in lines[1:3]] == [["ok", "broker"], ["broken", "models"]]
    assert lines[-1].strip() == "→ pull it"


def test_a_line_has_tabs_and_nothing_that_a_terminal_obeys() -> None:
    assert line_of(broken("models", "a\tb\x1b", "c")) == "broken\tmodels\ta\\tb\\x1b\tc"


async def test_without_json_there_are_lines_and_on_a_terminal_a_table(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        *("doctor", "--amqp-url", clinic.amqp_url, "--management-url", clinic.management_url),
        *("--ollama-url", clinic.ollama_url, "--prefix", clinic.topology.prefix),
    ]
    ran = await asyncio.to_thread(clinic.cli, *words)
    assert "warning\tconsumers\t" in ran.out
    shown = io.StringIO()
    monkeypatch.setattr(shown_findings, "out", Console(file=shown, force_terminal=True, width=80, color_system=None))
    assert (await asyncio.to_thread(clinic.cli, *words)).code == 1
    assert "→ start them with `sutazai run`" in shown.getvalue()


def test_a_check_that_does_not_exist_is_refused_with_those_that_do(cli: Cli) -> None:
    ran = cli("doctor", "--skip", "weather")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no check 'weather': choose of broker, " in ran.err


def test_an_address_of_a_model_server_that_is_none_is_refused(cli: Cli) -> None:
    ran = cli("doctor", "--ollama-url", "ftp://x")
    assert ran.code == 2
    assert "setting OLLAMA_URL" in ran.err
