import pytest
from pydantic import TypeAdapter, ValidationError

from schemas import CancelTask, Control, DrainHost, Hello, PauseAgents, ReportRequest, ResumeAgents, Returned

CONTROLS: TypeAdapter[Control] = TypeAdapter(Control)


@pytest.mark.parametrize(
    "control",
    [
        CancelTask(task_id="t"),
        CancelTask(task_id="t", agent="summarizer", reason="enough"),
        Hello(host="host-1", agents=("a", "b")),
        Returned(host="host-1", digests=("d1",), agent="summarizer", priority=9),
        Returned(host="host-1", digests=("d1", "d2")),
        PauseAgents(),
        PauseAgents(agent="summarizer", host="host-1", reason="new model"),
        ResumeAgents(agent="summarizer", host="host-1"),
        DrainHost(host="host-1", reason="kernel update"),
        ReportRequest(),
        Hello.model_validate({"host": "h", "agents": [], "from_the_future": 1}),
    ],
)
def test_a_control_message_is_read_as_its_own_kind(control: Control) -> None:
    read = CONTROLS.validate_json(control.model_dump_json())
    assert (type(read), read) == (type(control), control)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"kind": "dance"}, "kind"),
        ({"task_id": "t"}, "kind"),
        ({"kind": "cancel"}, "task_id"),
        ({"kind": "cancel", "task_id": "line\nbreak"}, "task_id"),
        ({"kind": "cancel", "task_id": "t", "agent": "Not A Name"}, "agent"),
        ({"kind": "hello", "host": "h"}, "agents"),
        ({"kind": "pause", "agent": "Not A Name"}, "agent"),
        ({"kind": "resume", "agent": "Not A Name"}, "agent"),
        ({"kind": "drain"}, "host"),
        ({"kind": "returned", "host": "h"}, "digests"),
        ({"kind": "returned", "host": "h", "digests": [""]}, "digests"),
        ({"kind": "returned", "host": "h", "digests": ["d"], "priority": 10}, "priority"),
        ({"kind": "hello", "host": "h", "agents": ["Not A Name"]}, "agents"),
    ],
)
def test_an_invalid_field_is_named(fields: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        CONTROLS.validate_python(fields)
