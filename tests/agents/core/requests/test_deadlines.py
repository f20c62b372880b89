from agents.core.requests.deadlines import Deadlines
from agents.core.requests.entry import Entry
from agents.core.requests.record import Request, Work


def request(deadline: float | None, request_id: str = "x") -> Request:
    return Request(Entry(request_id, 5, None, 0.0, 0), Work(print, (), {}), None, 0, 0.0, deadline)


def test_deadlines_pass_in_their_own_order() -> None:
    deadlines = Deadlines()
    late, soon, then = request(9.0), request(1.0), request(2.0)
    for watched in (late, soon, then):
        deadlines.add(watched)
    assert deadlines.passed(0.5) == []
    assert deadlines.passed(2.0) == [soon, then]
    assert deadlines.passed(99.0) == [soon, then, late]


def test_an_ended_request_is_forgotten_and_no_other_of_its_moment_or_id() -> None:
    deadlines = Deadlines()
    ended, same_moment, same_id = request(1.0), request(1.0, "y"), request(1.0)
    for watched in (ended, same_moment, same_id):
        deadlines.add(watched)
    deadlines.discard(ended)
    deadlines.discard(ended)
    assert deadlines.passed(1.0) == [same_moment, same_id]


def test_a_request_without_a_deadline_is_not_watched() -> None:
    deadlines, endless = Deadlines(), request(None)
    deadlines.add(endless)
    deadlines.discard(endless)
    assert deadlines.passed(99.0) == []
