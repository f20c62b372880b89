"""From messages to the text and tokens the model reads; pure."""

from collections.abc import Sequence
from typing import TypeVar

from agents.local_model.wire import Message

TokenT = TypeVar("TokenT")


def chatml(messages: Sequence[Message]) -> str:
    """Write `messages` in the model's own form, open for its answer.

    The file's built-in template would add a system prompt of its own where there is none; Ollama's does not.
    """
    turns = (f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n" for message in messages)
    return f"{''.join(turns)}<|im_start|>assistant\n"


def fit(tokens: Sequence[TokenT], num_ctx: int, num_keep: int) -> list[TokenT]:
    """Cut a prompt that fills the context: its first `num_keep` tokens stay, and of the rest the last half context.

    So the real server does (5,000 words at num_ctx 2048 become 1026 tokens), and room is left for the answer.
    """
    if len(tokens) < num_ctx:
        return list(tokens)
    keep = min(num_keep, num_ctx // 2)
    return [*tokens[:keep], *tokens[-((num_ctx - keep) // 2) :]]
