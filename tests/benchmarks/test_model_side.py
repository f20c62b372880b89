"""The parts of benchmarks/model_side.py: who runs how, and how it is judged. Races themselves are run by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from agents.core.model.lane import Lane
from agents.local_model import ensure_weights
from benchmarks.model_race.bare_loop import sorted_loop
from benchmarks.model_race.figures import Run
from benchmarks.model_race.hosted import (
    AS_THEY_CAME,
    BY_PRIORITY,
    GROUPED,
    PREFIX,
    ArrivalQueue,
    Place,
    Way,
    bounded,
    hosted,
    task_of,
)
from benchmarks.model_race.model_server import ModelServer
from benchmarks.model_race.report import HEATS, Arm
from benchmarks.model_race.workload import MODELS, draw_orders
from benchmarks.model_side import Contestant, Plan, contestants, race
from bus.client import Client
from bus.connect import broker_at
from bus.topology import Topology
from schemas import Priority
from tests.support.agent_world import memory_url
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import DONE, ScriptedOllama, refusal, streamed

TOKENS_OF_AN_ANSWER = DONE["eval_count"]
READING, WRITING = DONE["prompt_eval_duration"] / 1e9, DONE["eval_duration"] / 1e9


@dataclass
class ScriptedServer:
    """A model server that loads nothing."""

    url: str
    loads: int = 0
    unloaded: int = 0

    async def unload_all(self) -> None:
        self.unloaded += 1


@asynccontextmanager
async def scripted_place(ollama: ScriptedOllama, slots: int = 2) -> AsyncIterator[Place]:
    ollama.installed = [*MODELS.values(), *(f"{name}:latest" for name in MODELS.values())]
    async with OllamaPort(ollama) as port:
        yield Place(memory_url(), ScriptedServer(port.url), slots)


def counter() -> tuple[list[None], Callable[[], None]]:
    notes: list[None] = []
    return notes, lambda: notes.append(None)


def test_models_take_turns_and_each_priority_falls_on_both() -> None:
    orders = draw_orders(12, 24)
    assert len({order.id for order in orders}) == 12
    assert all(one.model != next_one.model for one, next_one in pairwise(orders))
    kinds = {(order.priority, order.model) for order in orders}
    assert len(kinds) == 3 * len(MODELS)


async def test_the_queue_of_the_first_come_knows_neither_models_nor_priorities() -> None:
    served: list[str] = []
    gate = asyncio.Event()

    async def serve(name: str) -> None:
        await gate.wait()
        served.append(name)

    async with ArrivalQueue(10, 1, max_retries=0) as queue:
        for name, model, priority in [("1", "a", 0), ("2", "b", 0), ("3", "a", 9), ("4", "b", 4)]:
            await queue.submit(serve, name, lane=Lane(model), priority=priority)
        gate.set()
        assert await queue.wait_for_completion(5)
    assert served == ["1", "2", "3", "4"]


async def test_the_bare_loop_sends_all_prompts_of_one_model_before_the_next_and_sums_their_tokens() -> None:
    ollama, orders = ScriptedOllama(), draw_orders(6, 24)
    notes, note = counter()
    async with scripted_place(ollama, slots=1) as place:
        run = await sorted_loop(place.server, orders, place.slots, note)
    asked = ollama.asked("/api/generate")
    assert [body["model"] for body in asked] == sorted(order.model for order in orders)
    assert all(order.body() in asked for order in orders)
    assert len(notes) == len(run.passages) == 6
    assert run.tokens == 6 * TOKENS_OF_AN_ANSWER
    assert [each.writing for each in run.passages] == [pytest.approx(WRITING)] * 6
    assert run.common_work == pytest.approx(len(MODELS) * READING + 6 * WRITING)


@pytest.mark.parametrize("slots", [1, 3])
async def test_the_bare_loop_uses_all_its_slots_at_once(slots: int) -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    async with scripted_place(ollama, slots) as place:
        running = asyncio.create_task(sorted_loop(place.server, draw_orders(6, 24), slots, lambda: None))
        await ollama.arrivals(slots)
        assert len(ollama.asked("/api/generate")) == slots
        ollama.gate.set()
        run = await running
    assert run.tokens == 6 * TOKENS_OF_AN_ANSWER, "answers that overlap are all counted"


async def test_the_bare_loop_does_not_take_a_broken_answer_for_one() -> None:
    ollama = ScriptedOllama()
    ollama.script.append(streamed({"response": "o", "done": False}))
    async with scripted_place(ollama) as place:
        with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="no whole answer")):
            await sorted_loop(place.server, draw_orders(2, 24), 1, lambda: None)


@pytest.mark.parametrize("way", [GROUPED, BY_PRIORITY, AS_THEY_CAME, bounded(1.0)])
async def test_a_host_is_asked_for_the_same_bodies_as_the_bare_loop_and_each_task_completes(way: Way) -> None:
    ollama, orders = ScriptedOllama(), draw_orders(8, 24)
    notes, note = counter()
    async with scripted_place(ollama) as place:
        run = await hosted(place, orders, way, note)
    asked = [{**body, "model": body["model"].removesuffix(":latest")} for body in ollama.asked("/api/generate")]
    assert len(asked) == 8
    assert all(order.body() in asked for order in orders)
    assert len(notes) == 8
    assert run.tokens == 8 * TOKENS_OF_AN_ANSWER
    assert run.common_work == pytest.approx(len(MODELS) * READING + 8 * WRITING)
    assert [each.priority for each in run.passages] == [order.priority for order in orders]
    assert all(0 <= each.asked <= each.began <= each.ended <= run.seconds for each in run.passages)


def test_only_the_way_with_priorities_publishes_them() -> None:
    orders = draw_orders(6, 24)
    assert {task_of(order, GROUPED).priority for order in orders} == {Priority.NORMAL}
    assert [task_of(order, BY_PRIORITY).priority for order in orders] == [order.priority for order in orders]


async def test_what_a_race_that_was_cut_short_has_left_does_not_get_into_the_next_one(vhost_url: str) -> None:
    topology, (left, order) = Topology(prefix=PREFIX), draw_orders(2, 24)
    async with scripted_place(ScriptedOllama()) as scripted, broker_at(vhost_url, "before", "test") as broker:
        await broker.declare(topology.shared())
        await broker.declare(topology.agent(left.agent))
        await Client(broker, topology).send(task_of(left, GROUPED))
        run = await hosted(Place(vhost_url, scripted.server, 1), [order], GROUPED, lambda: None)
        assert await broker.queue_info(topology.task_queue(left.agent)) is None
    assert run.tokens == TOKENS_OF_AN_ANSWER


async def test_a_task_that_fails_ends_the_race() -> None:
    ollama = ScriptedOllama()
    ollama.script.extend([refusal(400, "not so")] * 2)
    async with scripted_place(ollama) as place:
        with pytest.raises(RuntimeError, match="ended as failed"):
            await hosted(place, draw_orders(2, 24), GROUPED, lambda: None)


async def test_each_arm_of_each_heat_begins_without_a_model_in_memory() -> None:
    begun: list[Arm] = []
    server = ScriptedServer("http://nowhere")

    def runner(arm: Arm) -> Contestant:
        async def run(*_: object) -> Run:
            begun.append(arm)
            assert server.unloaded == len(begun)
            return Run(1.0, 0, 1, ())

        return run

    news: list[str] = []
    plan = Plan(draw_orders(2, 24), {arm: runner(arm) for arm in Arm}, rounds=2)
    heats = await race(Place("memory://", server, 1), plan, news.append, lambda: None)
    assert begun == [*HEATS[0], *HEATS[1]] * 2
    assert [tuple(heat) for heat in heats] == [*HEATS] * 2
    assert news[-1] == f"heat 4 of 4: {HEATS[1][-1]}"
    assert plan.steps == 2 * len(begun)


def test_the_narrow_ratio_is_taken_in_both_orders_side_by_side() -> None:
    pairs = [[arm for arm in heat if arm in {Arm.LIMIT, Arm.GROUPED}] for heat in HEATS]
    assert pairs[0] == pairs[1][::-1]
    assert all(abs(heat.index(Arm.LIMIT) - heat.index(Arm.GROUPED)) <= 2 for heat in HEATS)
    assert set(HEATS[0]) == set(Arm)


async def test_the_real_server_counts_its_loads_and_forgets_its_models(tmp_path: Path) -> None:
    await ensure_weights()
    async with ModelServer(tmp_path / "log") as server:
        run = await sorted_loop(server, draw_orders(2, 1), 1, lambda: None)
        assert (run.loads, run.tokens, server.loads) == (2, 2, 2)
        await server.unload_all()
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/api/ps")).json() == {"models": []}


async def test_a_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("SUTAZAI_MAX_ATTEMPTS", "none")
    with pytest.raises(RuntimeError, match="did not start; it said: error: setting"):
        async with ModelServer(tmp_path / "log"):
            pass


def test_all_arms_run() -> None:
    assert set(contestants(4.0)) == set(Arm)
