"""The steps of docs/management-ui.md, each with its picture."""

import json
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tools.screenshots.browser import until
from tools.screenshots.management_page import ManagementPage
from tools.screenshots.stage import Stage

AGENT: Final = "senior-engineer"
QUEUE: Final = f"sutazai.tasks.{AGENT}"
QUESTIONS: Final = (("What is a mutex?", "0"), ("What is a semaphore?", "4"), ("What is a future?", "9"))

LISTED: Final = "#main table.list"

WRONG_MODEL: Final = {"prompt": "What does a sprint cost?", "model": "no-such-model"}
STORY: Final = {
    "id": "story-1",
    "prompt": "Tell me a long story.",
    "retry": {"base": 30, "factor": 1, "jitter": 0},
}


class Walk:
    """One walk through the UI; pictures go into `folder`."""

    def __init__(self, stage: Stage, ui: ManagementPage, folder: Path) -> None:
        self._stage = stage
        self._ui = ui
        self._folder = folder

    def take_all(self) -> None:
        """Take every picture, in an order in which nothing waits for long."""
        self._stage.publish("product-manager", json.dumps(WRONG_MODEL))
        self._stage.publish("senior-enginer", json.dumps({"prompt": "What is a mutex?"}))
        self._stage.run("pause", AGENT, "--reason", "a look in the management UI")
        self._stage.publish("hasty", json.dumps(STORY))
        self._publish()
        self._queues()
        self._waiting()
        self._connections()
        self._task_queue()
        self._dead_letter()
        self._pause()

    def _publish(self) -> None:
        self._ui.open("exchanges/%2F/sutazai.tasks", "sutazai.tasks")
        self._ui.fold("Overview")
        for prompt, priority in QUESTIONS:
            self._ui.publish(AGENT, json.dumps({"prompt": prompt}), {"priority": priority})
            if priority == QUESTIONS[-1][1]:
                self._photograph("publish", "#tabs", "#main")
            self._ui.close_popup()

    def _queues(self) -> None:
        until(lambda: self._stage.queue("30000", "delay").get("messages") == 1, "the story waits on its rung")
        until(lambda: self._stage.queue(AGENT).get("messages_ready") == len(QUESTIONS), "three tasks wait")
        self._ui.open("queues", "Queues")
        self._ui.wait_for("sutazai.unrouted")
        self._photograph("queues", "#tabs", LISTED)

    def _waiting(self) -> None:
        self._ui.open_queue(QUEUE)
        self._look_at(len(QUESTIONS), "waiting")

    def _connections(self) -> None:
        name = "lab (product-manager, hasty) consumes"
        until(lambda: name in self._stage.connections(), "the host's connection")
        self._ui.open("connections", "Connections")
        self._ui.wait_for("sutazai results")
        self._photograph("connections", "#tabs", LISTED)
        place = self._stage.connections()[name]
        self._ui.open(f"connections/{quote(place, safe='')}", place)
        self._ui.unfold("Client properties")
        self._ui.leave_only("Client properties")
        self._photograph("connection", "#main")

    def _task_queue(self) -> None:
        self._stage.run("resume", AGENT)
        until(lambda: self._stage.queue(AGENT).get("messages_unacknowledged") == 1, "one task is worked on")
        self._look_at_consumers(f"{AGENT}@desk#", "task-queue")

    def _dead_letter(self) -> None:
        until(lambda: self._stage.queue("hasty", "dead").get("messages") == 1, "the story is given up", seconds=180)
        self._ui.open_queue("sutazai.dead.hasty")
        self._look_at(1, "dead-letter")

    def _pause(self) -> None:
        until(lambda: self._stage.queue(AGENT).get("messages") == 0, "all questions are answered", seconds=120)
        self._stage.kill_model()
        until(lambda: self._stage.queue(AGENT).get("consumers") == 0, "the agent pauses")
        for prompt, priority in QUESTIONS:
            self._stage.publish(AGENT, json.dumps({"prompt": prompt}), {"priority": int(priority)})
        until(lambda: self._stage.charted(AGENT) == len(QUESTIONS), "the chart shows how the queue grows")
        self._look_at_consumers("no consumers", "pause")
        self._stage.start_model()
        until(lambda: self._stage.queue(AGENT).get("consumers") == 1, "the agent goes on", seconds=120)

    def _look_at(self, count: int, picture: str) -> None:
        self._ui.get_messages(count)
        self._ui.leave_only("Get messages")
        self._photograph(picture, "#main")

    def _look_at_consumers(self, said: str, picture: str) -> None:
        self._ui.open_queue(QUEUE)
        self._ui.unfold("Overview")
        self._ui.unfold("Consumers")
        self._ui.wait_for(said)
        self._ui.leave_only("Overview", "Consumers")
        self._photograph(picture, "#main")

    def _photograph(self, name: str, *parts: str) -> None:
        self._ui.photograph(self._folder / f"management-ui-{name}.png", *parts)
