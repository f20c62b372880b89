"""examples/wrapped_v1_agent.py: an old agent keeps its state between tasks, and its errors are failed tasks."""

from tests.examples.stage import Stage

EXAMPLE = "wrapped_v1_agent.py"


async def test_the_model_is_asked_once_for_each_word(stage: Stage) -> None:
    stage.answers(lambda prompt: f"told of {prompt.split()[3]}", 2)
    code, ran = await stage.ran(EXAMPLE, "mutex", "lock", "Mutex")
    assert code == 0
    first, lock, second = ran.out.splitlines()
    assert first.startswith("mutex: completed in ")
    assert first.endswith("'meaning': 'told of mutex', 'was_known': False}")
    assert lock.endswith("'meaning': 'told of lock', 'was_known': False}")
    assert second.endswith("'meaning': 'told of mutex', 'was_known': True}")
    assert len(stage.prompts) == 2
    assert all(prompt.endswith("of English.") for prompt in stage.prompts)


async def test_a_dict_that_says_error_is_a_failed_task(stage: Stage) -> None:
    code, ran = await stage.ran(EXAMPLE, "two words")
    assert code == 6
    assert ran.out.startswith("two words: failed in ")
    assert ran.out.endswith(" s: 'two words' is not one word\n")
