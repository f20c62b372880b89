"""One llama.cpp server in a process of its own: the script that `runner.py` starts.

A process, because constructing the server holds Python's lock for the half second of a load, because llama.cpp
writes to the standard streams as it likes, and because the end of a process surely frees its memory.
Argument: the parameters as JSON. Answer: one line of JSON with `address` or `error`. It ends with its standard input.
Run as a file, so that nothing of this package is imported.
"""

import json
import os
import signal
import sys
from typing import Any, Final, TypedDict

_END_SECONDS: Final = 1


class EngineParams(TypedDict):
    """What an engine is started with; `context` is for each of `parallel` requests, in tokens."""

    model: str
    context: int
    parallel: int
    threads: int
    embeds: bool


def main(argument: str) -> None:
    """Serve until the standard input ends."""
    with os.fdopen(os.dup(1), "w") as report:
        _silence()
        try:
            server = start(json.loads(argument))
        except Exception as error:  # noqa: BLE001 # whatever it is, the parent must hear of it
            report.write(json.dumps({"error": str(error)}) + "\n")
            return
        report.write(json.dumps({"address": server.listening_address}) + "\n")
    sys.stdin.buffer.read()
    # A server that ends in the moment it begins waits for ever, holding Python's lock; the alarm ends the process.
    signal.alarm(_END_SECONDS)


def start(settings: EngineParams) -> Any:  # xllamacpp has no types
    """Load the model and listen on a free loopback port."""
    import xllamacpp  # noqa: PLC0415 # after the streams are silenced

    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.n_ctx = settings["context"] * settings["parallel"]
    params.n_parallel = settings["parallel"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    # A cancelled prompt stops at the next batch: 16 tokens are 0.1 s on one thread, and cost a quarter of the speed.
    batch = settings["context"] if settings["embeds"] else 16
    # One token of each running request goes into a batch; with fewer places than requests llama.cpp aborts.
    params.n_batch = params.n_ubatch = max(batch, settings["parallel"])
    # The prompt cache's own default is 8 GiB; a token takes 23 KB.
    params.cache_ram_mib = 128
    params.verbosity = -1
    params.warmup = False
    params.ui = False
    if settings["embeds"]:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return xllamacpp.Server(params)


def _silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


if __name__ == "__main__":
    main(sys.argv[1])
