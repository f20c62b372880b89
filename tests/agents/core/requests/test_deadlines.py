from agents.core.requests.deadlines import Deadlines


def test_deadlines_pass_in_their_own_order_and_only_once() -> None:
    deadlines = Deadlines()
    for request_id, deadline in (("late", 9.0), ("soon", 1.0), ("then", 2.0)):
        deadlines.add(request_id, deadline)
    assert deadlines.passed(0.5) == []
    assert deadlines.passed(2.0) == ["soon", "then"]
    assert deadlines.passed(2.0) == []
    assert deadlines.passed(99.0) == ["late"]
