"""Vectors for texts."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from agents.local_model.errors import ReplyError
from agents.local_model.models import Model
from agents.local_model.options import Options
from agents.local_model.residents import Want
from agents.local_model.scheduler import Scheduler
from agents.local_model.wire import EmbedRequest


@dataclass(frozen=True)
class Vectors:
    """One vector for each input; durations in nanoseconds."""

    vectors: Sequence[Sequence[float]]
    tokens: int
    total_duration: int
    load_duration: int


async def embed(
    scheduler: Scheduler, model: Model, request: EmbedRequest, options: Options, *, normalise: bool
) -> Vectors:
    """Return the vectors of the request's inputs, each the mean over its tokens; of length one if `normalise`.

    Raises:
        ReplyError: An input is too long and may not be cut, or the engine refused it.
        EngineError: The model could not be loaded, or its process ended.
    """
    began = time.perf_counter_ns()
    async with scheduler.lease(Want(model.name, options.num_ctx), request.keep_alive) as lease:
        tokens = [await lease.runner.tokenize(text) for text in request.inputs]
        if not request.truncate and any(len(each) > options.num_ctx for each in tokens):
            raise ReplyError(400, "the input length exceeds the context length")
        tokens = [each[: options.num_ctx] for each in tokens]
        found = await lease.runner.embed(tokens, normalise=normalise)
    vectors = [shorten(vector, request.dimensions) for vector in found]
    return Vectors(vectors, sum(map(len, tokens)), time.perf_counter_ns() - began, lease.load_duration)


def shorten(vector: Sequence[float], dimensions: int) -> Sequence[float]:
    """Return the first `dimensions` numbers, again of length one; all of them where `dimensions` is 0 or too many."""
    if not 0 < dimensions < len(vector):
        return vector
    head = vector[:dimensions]
    length = math.hypot(*head) or 1.0
    return [number / length for number in head]
