"""The model servers: reached, equipped, large enough, and answering. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from rich.filesize import decimal

from agents.core.model.names import model_key
from agents.doctor.facts import Facts, ServerFacts
from agents.doctor.finding import Finding, broken, ok, warning
from agents.doctor.topology_checks import named

SLOW_SECONDS: Final = 10.0
"""For one token of a loaded model: 561 tokens of prompt take a 1.1B model 13 s on one thread, one word next to none."""


_DEFAULT: Final = "the server's default"


def check_model_server(facts: Facts) -> Iterator[Finding]:
    """Judge whether each model server answers."""
    for server in facts.servers:
        if server.error is None:
            yield ok("model-server", f"{server.url} answers, version {server.version}")
        else:
            sentence, _, remedy = server.error.rpartition(": ")
            yield broken("model-server", sentence or remedy, remedy)


def check_models(facts: Facts) -> Iterator[Finding]:
    """Judge whether the models that agents need are installed."""
    needed = _needed(facts)
    if not needed:
        return
    has_all = True
    for server in _answering(facts):
        sizes = _sizes(server)
        missing = [model for key, model in needed.items() if key not in sizes]
        if missing:
            has_all = False
            yield broken(
                "models",
                f"{server.url} does not have {named(missing)}",
                f"`ollama pull {missing[0]}` there, or `sutazai models --pull`",
            )
    if has_all and _answering(facts):
        yield ok("models", f"installed: {named(needed.values())}")


def check_memory(facts: Facts) -> Iterator[Finding]:
    """Judge whether the models that may run at once fit into the memory of this machine."""
    needed = _needed(facts)
    for server in _answering(facts):
        sizes = sorted((size for key, size in _sizes(server).items() if key in needed), reverse=True)
        if server.memory is None or not sizes:
            continue
        at_once = sum(sizes[: facts.settings.models_in_flight])
        if at_once >= server.memory:
            yield broken(
                "memory",
                f"the models that run at once take {decimal(at_once)}, {server.url} has {decimal(server.memory)}",
                "choose a smaller model (OLLAMA_SONNET_MODEL, OLLAMA_OPUS_MODEL), or lower SUTAZAI_MODELS_IN_FLIGHT",
            )
        else:
            yield ok("memory", f"models of {decimal(at_once)} fit into {decimal(server.memory)}")


def check_num_ctx(facts: Facts) -> Iterator[Finding]:
    """Judge whether each model is always asked with one context: another one reloads it and loses its prompt cache."""
    contexts = _contexts(facts)
    if not contexts:
        return
    changing = [
        f"{model} ({', '.join(f'{context or _DEFAULT} by {named(agents)}' for context, agents in by_context.items())})"
        for model, by_context in contexts.items()
        if len(by_context) > 1
    ]
    if changing:
        yield warning(
            "num-ctx",
            f"agents ask with different contexts, and each change reloads the model: {named(changing)}",
            "give all agents of one model the same options.num_ctx, or none",
        )
    foreign = [told for server in _answering(facts) for told in _foreign_contexts(server, contexts)]
    if foreign:
        yield warning(
            "num-ctx",
            f"loaded with another context than agents ask for: {named(foreign)}",
            "another program uses the model: give both the same num_ctx, or agents a model server of their own",
        )
    if not changing and not foreign:
        yield ok("num-ctx", "each model is asked with one context")


def _contexts(facts: Facts) -> dict[str, dict[int | None, list[str]]]:
    contexts: dict[str, dict[int | None, list[str]]] = {}
    for agent in facts.agents:
        if agent.model:
            contexts.setdefault(model_key(agent.model), {}).setdefault(agent.num_ctx, []).append(agent.name)
    return contexts


def _foreign_contexts(server: ServerFacts, contexts: Mapping[str, Mapping[int | None, object]]) -> Iterator[str]:
    for row in server.loaded:
        wished, found = contexts.get(model_key(row.get("name") or "?"), {}), row.get("context_length")
        if wished and None not in wished and found and found not in wished:
            yield f"{row['name']} with {found}"


def check_generation(facts: Facts) -> Iterator[Finding]:
    """Judge whether a model gives one token, and how fast: a wedged server still lists its models."""
    for server in _answering(facts):
        token = server.generation
        if token is None:
            continue
        if token.error is not None:
            yield broken(
                "generation",
                f"{server.url} gives no token of {token.model}: {token.error}",
                "where it is not just busy (`ollama ps`), restart it: a wedged runner still answers simple questions",
            )
        elif token.seconds > SLOW_SECONDS:
            yield warning(
                "generation",
                f"one token of {token.model} took {token.seconds:.1f} s at {server.url}",
                "it is busy with other requests, swaps memory, or the model is too large for the machine",
            )
        else:
            load = f" after {token.load_seconds:.1f} s of loading" if token.load_seconds else ""
            yield ok("generation", f"one token of {token.model} took {token.seconds:.2f} s{load}")


def _answering(facts: Facts) -> list[ServerFacts]:
    return [server for server in facts.servers if server.error is None]


def _needed(facts: Facts) -> dict[str, str]:
    return {model_key(agent.model): agent.model for agent in facts.agents if agent.model}


def _sizes(server: ServerFacts) -> dict[str, int]:
    return {model_key(row["name"]): int(row.get("size") or 0) for row in server.installed if row.get("name")}
