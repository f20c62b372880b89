"""What a model is asked after an answer that did not fit: the same again, with its answer and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import replace

from agents.core.model.requests import GenerateRequest, ModelRequest
from agents.core.output.fault import Fault


def repaired(request: ModelRequest, answer: str, faults: Sequence[Fault]) -> ModelRequest:
    """Return `request`, the first one, with the last answer and its faults: a conversation by two messages more.

    Earlier answers are left out, so that the prompt does not grow from repair to repair. What was said first stays
    in front, word by word, and in the model server's cache.
    """
    wrong = "\n".join(f"- {fault}" for fault in faults)
    told = f"That answer is not valid:\n{wrong}\nAnswer again with the corrected JSON and nothing else."
    if isinstance(request, GenerateRequest):
        return replace(request, prompt=f"{request.prompt}\n\nYour answer was:\n{answer}\n\n{told}")
    said = {"role": "assistant", "content": answer}
    return replace(request, messages=[*request.messages, said, {"role": "user", "content": told}])
