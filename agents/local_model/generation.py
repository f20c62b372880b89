"""One answer, from the lease of a model to the last token."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from agents.local_model.closed_schema import closed
from agents.local_model.errors import EngineDiedError
from agents.local_model.models import Model
from agents.local_model.options import Options
from agents.local_model.prompts import chatml, fit
from agents.local_model.residents import Want
from agents.local_model.runner import Event
from agents.local_model.scheduler import Scheduler
from agents.local_model.wire import TextRequest

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True)
class Part:
    """A piece of the answer, and the log-probabilities of its tokens if they were asked for."""

    text: str
    logprobs: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Finish:
    """The end of an answer.

    Attributes:
        reason: `stop` or `length`.
        context: Tokens of the prompt and the answer.
        metrics: Durations in nanoseconds and token counts, under the names of the API.
    """

    reason: str
    context: Sequence[int]
    metrics: Mapping[str, int]


async def generate(
    scheduler: Scheduler, model: Model, request: TextRequest, options: Options
) -> AsyncGenerator[Part | Finish, None]:
    """Yield the answer's parts, then its Finish; closing the generator cancels and gives the slot back.

    Raises:
        ReplyError: The request was refused.
        EngineError: The model could not be loaded, or its process ended.
    """
    schema = request.schema
    began = time.perf_counter_ns()
    async with scheduler.lease(Want(model.name, options.num_ctx), request.keep_alive) as lease:
        runner = lease.runner
        text = chatml(request.messages) if request.raw_prompt is None else request.raw_prompt
        tokens = [*request.context, *await runner.tokenize(text)]
        prompt = fit(tokens, options.num_ctx, options.num_keep) if request.truncate else tokens
        made: list[int] = []
        async with aclosing(runner.complete(engine_body(prompt, request, options, schema))) as events:
            async for event in events:
                made += event["tokens"]
                if event["stop"]:
                    times = {"total_duration": time.perf_counter_ns() - began, "load_duration": lease.load_duration}
                    yield Finish(_reason(event), [*prompt, *made], {**times, **_metrics(event)})
                    return
                yield Part(event["content"], _logprobs(event, request.top_logprobs or 0))
        raise EngineDiedError


def engine_body(
    prompt: Sequence[int], request: TextRequest, options: Options, schema: Mapping[str, Any] | None
) -> dict[str, object]:
    """Write the request to the engine's /completion."""
    body: dict[str, object] = {**options.sampling, "prompt": prompt, "return_tokens": True, "cache_prompt": True}
    if schema is not None:
        # Left free, a small model fills its tokens with blank lines between the braces.
        body["json_schema"] = {**closed(schema), "x-guidance": {"whitespace_flexible": False}}
    if request.top_logprobs is not None:
        body["n_probs"] = max(1, request.top_logprobs)
    return body


def _reason(event: Event) -> str:
    return "length" if event["stop_type"] == "limit" else "stop"


def _metrics(event: Event) -> dict[str, int]:
    timings = event["timings"]
    return {
        "prompt_eval_count": event["tokens_evaluated"],
        "prompt_eval_duration": round(timings["prompt_ms"] * _NS_PER_MS),
        "eval_count": event["tokens_predicted"],
        "eval_duration": round(timings["predicted_ms"] * _NS_PER_MS),
    }


def _logprobs(event: Event, top: int) -> list[dict[str, Any]]:
    return [
        {**_token(item), **({"top_logprobs": [_token(other) for other in item["top_logprobs"][:top]]} if top else {})}
        for item in event.get("completion_probabilities", ())
    ]


def _token(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("token", "logprob", "bytes")}
