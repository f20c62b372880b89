import os
import socket

import pytest

from bus.client_properties import LONGEST_VALUE, client_properties, program_name

WHERE = f"{socket.gethostname().split('.')[0][:40]}-{os.getpid()}"


def test_every_process_tells_product_version_machine_and_process() -> None:
    told = client_properties("1.2", {"agents": "a, b"})
    assert told.keys() == {"product", "version", "platform", "information", "machine", "pid", "agents"}
    assert (told["product"], told["version"], told["pid"]) == ("SutazAI Agents", "1.2", str(os.getpid()))
    assert "aio-pika" in told["information"]


def test_what_is_too_long_for_the_first_frame_is_cut() -> None:
    assert client_properties("1", {"agents": "a" * 5000})["agents"] == "a" * LONGEST_VALUE


@pytest.mark.parametrize(
    ("started_as", "name"),
    [
        ("/srv/shop/import_orders.py", "import_orders.py"),
        ("/srv/shop/importer/__main__.py", "importer"),
        ("", "python"),
        ("-c", "python"),
        ("x" * 90, "x" * 40),
    ],
)
def test_a_program_without_a_name_is_called_after_its_file(started_as: str, name: str) -> None:
    assert program_name(started_as) == f"{name} ({WHERE})"


def test_a_program_is_known_by_its_command_line_but_never_by_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/publish.py", "--password=secret"])
    assert program_name() == f"publish.py ({WHERE})"
