import pytest
from pydantic import ValidationError

from schemas import CancelTask, RetryRules, TaskMessage
from schemas.faults import first_fault, plain_words


def message(fields: dict[str, object]) -> str:
    with pytest.raises(ValidationError) as error:
        TaskMessage.model_validate({"agent": "a", "prompt": "x"} | fields)
    return plain_words(error.value.errors()[0]["msg"], {"^mine$": "use mine"})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"agent": "-a"}, "use lower-case letters, digits and hyphens, with no hyphen first"),
        ({"id": "ü"}, "use 1 to 128 printable ASCII characters"),
        ({"priority": "no"}, "priority 'no' is not known: use a number 0..9, or one of background (0), low (2), "),
        ({"timeout": 0}, "Input should be greater than 0"),
    ],
)
def test_a_fault_is_told_with_a_remedy_and_without_regular_expressions(fields: dict[str, object], told: str) -> None:
    assert message(fields).startswith(told)


def test_who_asks_may_bring_patterns_of_its_own() -> None:
    assert plain_words("String should match pattern '^mine$'", {"^mine$": "use mine"}) == "use mine"


def test_the_ids_and_names_of_every_message_have_a_remedy() -> None:
    with pytest.raises(ValidationError) as error:
        CancelTask(task_id="", agent="")
    assert "pattern" not in " ".join(plain_words(fault["msg"]) for fault in error.value.errors())


def test_unknown_keys_of_retry_rules_are_named_with_the_nearest_known_one() -> None:
    RetryRules(base=1, on=("timeout",)).must_be_known()
    with pytest.raises(ValueError, match="no key 'jiter': did you mean 'jitter'"):
        RetryRules.model_validate({"jiter": 1}).must_be_known()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"timeout": 0}, "--deadline = 0: Input should be greater than 0"),
        ({"priority": "no"}, "priority 'no' is not known: use a number 0..9, or one of background (0), low (2), "),
        ({"prompt": " "}, 'a task needs a "prompt" (text) or "data" (anything); this one has neither'),
        ({"retry": {"base": -1}}, "retry base = -1: Input should be greater than or equal to 0"),
    ],
)
def test_the_first_fault_is_one_sentence_with_field_and_value_each_told_once(
    fields: dict[str, object], told: str
) -> None:
    with pytest.raises(ValidationError) as error:
        TaskMessage.model_validate({"agent": "a", "prompt": "x"} | fields)
    assert first_fault(error.value, {"timeout": "--deadline"}).startswith(told)
