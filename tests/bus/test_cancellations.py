from bus.cancellations import REMEMBERED, Cancellations


def test_what_was_cancelled_is_remembered_with_its_reason() -> None:
    cancelled = Cancellations()
    cancelled.add("a", "enough")
    cancelled.add("b", None)
    assert ("a" in cancelled, "b" in cancelled, "c" in cancelled) == (True, True, False)
    assert [cancelled.reason_of(task) for task in ("a", "b", "c")] == ["enough", None, None]


def test_the_last_reason_counts() -> None:
    cancelled = Cancellations()
    cancelled.add("a", "enough")
    cancelled.add("a", "more than enough")
    assert cancelled.reason_of("a") == "more than enough"


def test_only_so_many_are_remembered_and_what_was_said_again_is_no_longer_the_oldest() -> None:
    cancelled = Cancellations()
    for number in range(REMEMBERED):
        cancelled.add(str(number), None)
    cancelled.add("0", "said again")
    cancelled.add("one more", None)
    assert ("0" in cancelled, "1" in cancelled, "2" in cancelled) == (True, False, True)
