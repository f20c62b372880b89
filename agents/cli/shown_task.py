"""The life of a task as people and programs read it. Pure."""

import json
import math
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from agents.cli.shown_letters import json_of as json_of_letter
from agents.cli.shown_letters import plain
from agents.cli.shown_results import error_of, summary_of
from agents.cli.since import moment_text
from agents.cli.task_life import Place, Replay, TaskLife
from bus.held import HeldState
from bus.letter import DeadLetter
from schemas import AgentReport, EventKind, PastAttempt, TaskError, TaskEvent, TaskResult

WIDTH: Final = 80
_INDENT: Final = 10


def shown(life: TaskLife) -> Iterator[str]:
    """Iterate over the lines, of 80 columns at most where no word is longer than that."""
    for name, value in _facts(life):
        if value:
            lines = textwrap.wrap(plain(value), WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False)
            yield f"{name:<{_INDENT}}{lines[0]}"
            yield from (f"{'':<{_INDENT}}{line}" for line in lines[1:])


def json_of(life: TaskLife) -> str:
    """Return all of it as one JSON object; what is not known is null."""
    told = {
        "task_id": life.task_id,
        "agent": life.agent,
        "is_known": life.is_known,
        "result": None if life.result is None else life.result.model_dump(mode="json"),
        "times": life.times,
        "letter": None if life.letter is None else json.loads(json_of_letter(life.letter)),
        "event": None if life.event is None else life.event.model_dump(mode="json"),
        "place": None if life.place is None else _json_of_place(life.place),
        "queue": None if life.queue is None else {"ready": life.queue.ready, "consumers": life.queue.consumers},
        "replay": None if life.replay is None else asdict(life.replay),
        "hosts": [report.model_dump(mode="json") for report in life.reports],
    }
    return json.dumps(told)


def no_trace(life: TaskLife) -> str:
    """Return what it means that nothing tells of the task."""
    where = "no result in the log, " if life.has_log else "no log of results on this broker, "
    more = "" if life.agent else ": --agent NAME shows its agent's queue and hosts"
    return (
        f"no trace of task {plain(life.task_id)}: {where}no dead letter, and nothing happens to it now; it may still "
        f"wait, in a queue or for its next attempt{more}"
    )


def _facts(life: TaskLife) -> Iterator[tuple[str, str]]:
    yield "task", life.task_id
    yield "agent", life.agent or ""
    if life.result is not None:
        yield from _of_result(life.result, life.times)
    if life.event is not None:
        yield "now", _of_event(life.event)
    if life.place is not None:
        yield "now" if life.event is None else "", _of_place(life.place)
    if life.letter is not None:
        yield from _of_letter(life.letter, is_told=life.result is not None)
    if life.replay is not None:
        yield "replay", _of_replay(life.replay)
    if life.queue is not None:
        yield "queue", f"tasks that wait: {life.queue.ready}, consumers: {life.queue.consumers}"
    for report in life.reports:
        yield "host", _of_report(report)


def _of_result(result: TaskResult, times: int) -> Iterator[tuple[str, str]]:
    usage = result.usage
    again = f", told {times} times" if times > 1 else ""
    yield "status", f"{result.status} {moment_text(result.timestamp)}{again}"
    yield "host", result.host or ""
    yield "attempt", str(result.attempt)
    for past in result.history:
        yield "", _of_past(past)
    yield "took", f"{result.processing_time:.1f} s"
    if usage is not None:
        yield (
            "waited",
            f"{usage.queue_wait:.1f} s for a host, retries included, and {usage.slot_wait:.1f} s for the model",
        )
        if usage.model_calls:
            speed = f"{usage.tokens_per_second:.1f} tokens/s, calls of the model: {usage.model_calls}"
            yield "tokens", f"{usage.tokens_in} in, {usage.tokens_out} out, {speed}"
    yield "model", " at ".join(part for part in (result.model, result.server) if part)
    yield "parent", result.parent_id or ""
    if result.error:
        code = f"{result.error.code}: " if isinstance(result.error, TaskError) else ""
        yield "error", f"{code}{error_of(result)}"
    else:
        yield "answer", summary_of(result, WIDTH - _INDENT)


def _of_past(past: PastAttempt) -> str:
    ended, error = moment_text(past.ended_at), past.error
    return f"{past.number} on {past.host}, {past.seconds:.1f} s, ended {ended}: {error.code}: {error.message}"


def _of_letter(letter: DeadLetter, *, is_told: bool) -> Iterator[tuple[str, str]]:
    if not is_told:
        yield "attempt", str(letter.attempt)
        for past in letter.history:
            yield "", _of_past(past)
        yield "error", f"{letter.code}: {letter.error}"
    where = f" on {letter.host}" if letter.host else ""
    when = "" if letter.failed_at is None else f", {moment_text(letter.failed_at)}"
    yield "letter", f"a dead letter ({letter.reason}){where}{when}"
    yield "remedy", f"to have it done again: sutazai dlq replay --one {letter.task_id}"


def _of_replay(replay: Replay) -> str:
    where = f" on {replay.host}" if replay.host else ""
    return f"{replay.status or 'at work'}{where}: see sutazai task {replay.task_id}"


def _of_event(event: TaskEvent) -> str:
    data = event.data
    match event.kind:
        case EventKind.ACCEPTED:
            doing = "has taken it and lets it wait for its turn"
        case EventKind.RETRYING:
            doing = f"failed at it: attempt {data.get('next_attempt')} begins in {data.get('delay')} s"
        case EventKind.PROGRESS:
            message = data.get("message")
            told = ("works on it", _share(data.get("fraction")), None if message is None else str(message))
            doing = ": ".join(part for part in told if part)
        case EventKind.CHUNK:
            doing = "writes its answer"
        case _:
            doing = "works on it"
    return f"{event.host} {doing} (attempt {event.attempt}, {moment_text(event.timestamp)})"


def _of_place(place: Place) -> str:
    host, task = place.host, place.task
    match task.state:
        case HeldState.WAITING:
            doing = f"{host} holds it since {moment_text(task.since)}, and it waits for its turn"
        case HeldState.SETTLING:
            doing = f"{host} has ended its work on it, and tells the broker what came of it"
        case _:
            doing = f"{host} works on it since {moment_text(task.since)}"
    return f"{doing} (attempt {task.attempt})"


def _json_of_place(place: Place) -> dict[str, Any]:
    return {"host": place.host, "agent": place.agent, **place.task.model_dump(mode="json")}


def _share(fraction: object) -> str | None:
    return f"{round(fraction * 100)} %" if isinstance(fraction, int | float) and math.isfinite(fraction) else None


def _of_report(report: AgentReport) -> str:
    why = f" ({report.reason})" if report.reason else ""
    return f"{report.host} is {report.consumer}{why}, tasks in hand: {report.held}"
