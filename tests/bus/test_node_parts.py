import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bus.node_layout import HOST, NodeLayout, Ports, free_ports, held_ports
from bus.node_probe import amqp_answers, management_answers


def test_ports_in_use_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, *others = free_ports(3)
    monkeypatch.setattr("secrets.SystemRandom.sample", lambda *_: [taken, *others])
    with closing(socket.create_server((HOST, taken))):
        assert free_ports(2) == others


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is held elsewhere")
def test_a_held_port_is_passed_over_while_nobody_listens_there_and_its_owner_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, *others = free_ports(3)
    monkeypatch.setattr("secrets.SystemRandom.sample", lambda *_: [held, *others])
    with held_ports(held):
        assert free_ports(2) == others
        with closing(socket.create_server((HOST, held))) as server, held_ports(held):
            assert server.getsockname() == (HOST, held)
    assert free_ports(1) == [held]


def test_a_machine_without_free_ports_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.SystemRandom.sample", lambda *_: [])
    with pytest.raises(OSError, match="4 free ports between 20000 and 32000 were not found"):
        Ports.free()


def test_a_closed_port_does_not_answer() -> None:
    (port,) = free_ports(1)
    assert not amqp_answers(HOST, port)
    assert not management_answers(HOST, port)


def test_a_listener_that_says_nothing_is_no_broker() -> None:
    with closing(socket.create_server((HOST, 0))) as mute:
        port = mute.getsockname()[1]
        assert not amqp_answers(HOST, port, seconds=0.05)
        assert not management_answers(HOST, port, seconds=0.05)


def test_a_node_inherits_nothing_but_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/opt/bin")
    monkeypatch.setenv("RABBITMQ_NODENAME", "theirs")
    monkeypatch.setenv("ERL_FLAGS", "-theirs")
    environment = NodeLayout(Path("/nodes/one"), "ours@localhost", Ports(1, 2, 3, 4)).environment()
    assert environment["PATH"] == "/opt/bin"
    assert "theirs" not in " ".join(environment.values())
    assert environment["HOME"] == "/nodes/one"


def test_a_tool_of_a_node_has_one_scheduler_of_each_kind_and_none_that_spins() -> None:
    environment = NodeLayout(Path("/nodes/one"), "ours@localhost", Ports(1, 2, 3, 4)).environment()
    flags = environment["RABBITMQ_CTL_ERL_ARGS"]
    assert "+S 1:1 +SDcpu 1:1 +SDio 1 " in flags
    assert "+sbwt none +sbwtdcpu none +sbwtdio none" in flags


def test_the_log_s_end_is_what_it_said_before_the_crash_reports(tmp_path: Path) -> None:
    layout = NodeLayout(tmp_path, "ours@localhost", Ports(1, 2, 3, 4))
    layout.boot_log.write_text(
        "".join(f"line {number}\n\n" for number in range(30))
        + "\x1b[31m2026-11-22 15:22:42 [error] <0.132.0> unknown variable\x1b[0m\n"
        + "2026-11-22 15:22:43 [error] <0.132.0>     supervisor: {local,rabbit_prelaunch_sup}\n"
        + "2026-11-22 15:22:43 [error] <0.130.0>   crasher:\n"
    )
    said = layout.log_tail().splitlines()
    assert said[0] == "line 11"
    assert said[-1] == "2026-11-22 15:22:42 [error] <0.132.0> unknown variable"
