"""Agents of the first generation for the tests of the wrapper, and the folders to load others from."""

import asyncio
import sqlite3
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

from agents.core.migration.legacy_base import LegacyBaseAgent

Task = Mapping[str, Any]


class Thermometer(LegacyBaseAgent):
    """Does what a task's type says, and keeps count."""

    def __init__(self, config_path: str = "/app/config.json", unit: str = "C") -> None:
        super().__init__(config_path)
        self.unit = unit
        self.home = threading.get_ident()
        self.count = 0
        self.database = sqlite3.connect(":memory:")  # which refuses every thread but the one that made it

    def process_task(self, task: dict[str, Any]) -> Any:
        self.count += 1
        return getattr(self, task["type"])(task)

    def measure(self, task: Task) -> dict[str, Any]:
        return {"status": "success", "unit": self.unit, "count": self.count, "prompt": task["prompt"]}

    def where(self, _task: Task) -> dict[str, Any]:
        self.database.execute("select 1")
        return {"status": "success", "own": threading.get_ident() == self.home, "thread": self.home}

    def ask(self, task: Task) -> dict[str, Any]:
        return {"status": "success", "answer": self.query_ollama(task["prompt"])}

    def ask_so(self, task: Task) -> dict[str, Any]:
        return {"status": "success", "answer": self.query_ollama(task["prompt"], "tinyllama", temperature=0.25)}

    def ask_and_catch(self, task: Task) -> dict[str, Any]:
        try:
            return self.ask(task)
        except Exception as error:  # noqa: BLE001 - as old code does
            return {"status": "error", "message": f"caught {error}"}

    def ask_and_rename(self, task: Task) -> dict[str, Any]:
        try:
            return self.ask(task)
        except Exception as error:
            raise ValueError("renamed") from error

    def ask_and_go_on(self, task: Task) -> dict[str, Any]:
        caught = self.ask_and_catch(task)
        return {"status": "success", "answer": caught.get("answer", "none")}

    def ask_in_threads(self, task: Task) -> dict[str, Any]:
        with ThreadPoolExecutor(2) as pool:
            return {"status": "success", "answers": list(pool.map(self.query_ollama, [task["prompt"]] * 2))}

    def error(self, _task: Task) -> dict[str, Any]:
        return {"status": "error", "message": "no such sensor", "sensor": 7}

    def raising(self, _task: Task) -> dict[str, Any]:
        raise KeyError("sensor")

    def late(self, _task: Task) -> dict[str, Any]:
        raise TimeoutError("the sensor is slow")

    def leave(self, _task: Task) -> dict[str, Any]:
        raise SystemExit(3)

    def stop_iteration(self, _task: Task) -> dict[str, Any]:
        return next(iter(()))

    def nothing(self, _task: Task) -> None:
        return None

    def text(self, _task: Task) -> str:
        return "20 degrees"

    def change(self, task: dict[str, Any]) -> dict[str, Any]:
        task["seen"] = True
        task.pop("priority")
        return {"status": "success", "sensor": task["sensor"], "missing": task.get("deadline", "never")}

    def loop(self, _task: Task) -> dict[str, Any]:
        loop = asyncio.get_event_loop()
        return {"status": "success", "slept": loop.run_until_complete(asyncio.sleep(0, "well"))}


class Blocking(LegacyBaseAgent):
    """Holds its thread until it is let go; tells each start and end."""

    def __init__(self) -> None:
        super().__init__()
        self.started = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        self.go = threading.Event()
        self.running = self.most = 0
        self._lock = threading.Lock()

    def process_task(self, task: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.started.release()
        try:
            if task["type"] == "hold":
                assert self.go.wait(30)
            return {"status": "success"}
        finally:
            with self._lock:
                self.running -= 1
            self.ended.release()


class HalfAsync(LegacyBaseAgent):
    """Its process_task is async, its queries are not."""

    def __init__(self) -> None:
        super().__init__()
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self.cancelled = threading.Event()

    async def process_task(self, task: dict[str, Any]) -> dict[str, Any]:
        self.loops.add(asyncio.get_running_loop())
        if task["type"] == "wait":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        first = self.query_ollama("first")
        await asyncio.sleep(0)
        return {"status": "success", "answers": [first, self.query_ollama("second")], "loops": len(self.loops)}


def write_agent(folder: Path, program: str, file: str = "agent.py") -> Path:
    """Write an agent's file into a folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file
    path.write_text(dedent(program), encoding="utf-8")
    return path


def simple(class_name: str, says: str, before: str = "from agent_base import BaseAgent") -> str:
    """Return the program of an agent that always says the same."""
    return "\n".join(
        [
            before,
            f"class {class_name}(BaseAgent):",
            "    def process_task(self, task):",
            f"        return {{'status': 'success', 'says': {says}, 'name': self.agent_name}}",
        ]
    )
