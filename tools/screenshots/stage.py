"""What the pictures show: a RabbitMQ, the local model and a host, all of them real processes of our own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from bus.node_layout import HOST, free_ports
from bus.private_node import PrivateNode
from tools.screenshots.browser import until

HASTY: Final = """---
name: hasty
description: Answers within two seconds, or not at all.
task_timeout: 2
---
You tell long stories.
"""
"""The agent of docs/management-ui.md that fails in passing."""

SUTAZAI: Final = (sys.executable, "-m", "agents.cli")


class Stage:
    """Processes that are started by name, and the management API of their broker."""

    def __init__(self, node: PrivateNode, folder: Path) -> None:
        self.management_url = node.management_url
        self._folder = folder
        self._model_port = free_ports(1)[0]
        self._environment = {
            **os.environ,
            "AMQP_URL": node.amqp_url,
            "OLLAMA_URL": f"http://{HOST}:{self._model_port}",
        }
        self._api = httpx.Client(base_url=node.management_url, auth=("guest", "guest"), timeout=10)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start_model(self) -> None:
        """Start the local model and wait until it answers."""
        self._start("local-model", "--port", str(self._model_port))
        until(self._model_answers, "the local model answers", seconds=120)

    def start_hosts(self) -> None:
        """Start the hosts `desk`, of one agent, and `lab`, of two, and wait until all of them consume."""
        hasty = self._folder / "hasty.md"
        hasty.write_text(HASTY)
        self._start("run", "senior-engineer", "--concurrency", "1", host="desk")
        self._start("run", "product-manager", str(hasty), host="lab")
        for agent in ("senior-engineer", "product-manager", "hasty"):
            until(lambda: self.queue(agent).get("consumers") == 1, f"{agent} consumes")  # noqa: B023 - called here

    def start_listener(self) -> None:
        """Start a command that listens for results."""
        self._start("results", "--follow")

    def kill_model(self) -> None:
        """End the model server as a crash would."""
        self._kill("local-model")

    def run(self, *arguments: str) -> None:
        """Run a command of `sutazai` to its end; raises CalledProcessError if it fails."""
        command = [*SUTAZAI, *arguments]
        subprocess.run(command, env=self._environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own

    def publish(self, routing_key: str, payload: str, properties: Mapping[str, object] | None = None) -> None:
        """Publish a task as the form of the management UI does."""
        body = {"routing_key": routing_key, "payload": payload, "payload_encoding": "string"}
        place = "/api/exchanges/%2F/sutazai.tasks/publish"
        self._api.post(place, json={**body, "properties": properties or {}}).raise_for_status()

    def queue(self, agent: str, family: str = "tasks") -> dict[str, Any]:
        """Return what the management API knows of a queue; nothing where there is none."""
        answer = self._api.get(f"/api/queues/%2F/sutazai.{family}.{agent}")
        row: dict[str, Any] = answer.json() if answer.is_success else {}
        return row

    def charted(self, agent: str) -> int:
        """Return the least of the last three points in an agent's chart of waiting tasks; the last one is not drawn."""
        chart = {"lengths_age": 60, "lengths_incr": 5}
        row = self._api.get(f"/api/queues/%2F/sutazai.tasks.{agent}", params=chart).raise_for_status().json()
        return min(int(point["sample"]) for point in row["messages_ready_details"]["samples"][:3])

    def connections(self) -> dict[str, str]:
        """Return the management UI's own name of each connection, by the name that its client gave it."""
        rows = self._api.get("/api/connections").raise_for_status().json()
        return {row.get("client_properties", {}).get("connection_name", ""): row["name"] for row in rows}

    def close(self) -> None:
        """End all processes."""
        for name in tuple(self._running):
            self._kill(name)
        self._api.close()

    def _start(self, command: str, *arguments: str, host: str = "") -> None:
        environment = {**self._environment, "SUTAZAI_HOST_NAME": host or "shell"}
        self._running[host or command] = subprocess.Popen(  # noqa: S603 - our own commands
            [*SUTAZAI, command, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def _model_answers(self) -> bool:
        try:
            return httpx.get(f"{self._environment['OLLAMA_URL']}/api/version").is_success
        except httpx.TransportError:
            return False


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Start the broker, the model, the hosts and a listener; all of them end with the block."""
    with PrivateNode() as node:
        built = Stage(node, folder)
        try:
            built.start_model()
            built.start_hosts()
            built.start_listener()
            yield built
        finally:
            built.close()
