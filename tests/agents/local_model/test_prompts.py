"""From messages to text, and cutting what is too long."""

from hypothesis import given
from hypothesis import strategies as st

from agents.local_model.prompts import chatml, fit
from agents.local_model.wire import Message


def test_messages_are_written_in_the_models_own_form() -> None:
    text = chatml([Message("system", "Be."), Message("user", "Hi")])
    assert text == "<|im_start|>system\nBe.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_5000_tokens_become_1026_at_a_context_of_2048() -> None:
    assert len(fit(range(5000), 2048, 4)) == 1026


@given(st.lists(st.integers(), max_size=300), st.integers(4, 64), st.integers(0, 80))
def test_a_prompt_keeps_its_head_and_tail_and_leaves_room(tokens: list[int], num_ctx: int, num_keep: int) -> None:
    cut = fit(tokens, num_ctx, num_keep)
    assert len(cut) < num_ctx
    if len(tokens) < num_ctx:
        assert cut == tokens
    else:
        keep = min(num_keep, num_ctx // 2)
        assert cut[:keep] == tokens[:keep]
        assert cut[-1] == tokens[-1]
