from agents.core.model.tokens import ANSWERS, TokenCount
from schemas import Usage


def test_totals_run_on_and_the_speed_is_that_of_the_last_answers() -> None:
    tokens = TokenCount()
    assert (tokens.read, tokens.written, tokens.per_second) == (0, 0, None)
    tokens.note(Usage(tokens_in=7, tokens_out=1000, generation_time=1.0))
    assert tokens.per_second == 1000.0
    for _ in range(ANSWERS):
        tokens.note(Usage(tokens_in=1, tokens_out=12, generation_time=1.5))
    assert (tokens.read, tokens.written, tokens.per_second) == (7 + ANSWERS, 1000 + 12 * ANSWERS, 8.0)


def test_what_writes_nothing_or_takes_no_time_has_no_speed() -> None:
    tokens = TokenCount()
    tokens.note(Usage(tokens_in=5, generation_time=1.0))
    tokens.note(Usage(tokens_out=5))
    assert (tokens.read, tokens.written, tokens.per_second) == (5, 5, None)
