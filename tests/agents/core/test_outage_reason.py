import pytest

from agents.core.outage_reason import REASON, without_fault


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        (REASON, REASON),
        (f"{REASON}, failing since noon: refused; failing since one: sick", REASON),
        (f"operator: new model; {REASON}, failing since noon: refused", f"operator: new model; {REASON}"),
        (f"operator: I say {REASON}, really; honestly", f"operator: I say {REASON}, really; honestly"),
        ("operator: new model", "operator: new model"),
    ],
)
def test_what_is_wrong_with_the_servers_is_left_out_and_all_else_stays(reason: str, short: str) -> None:
    assert without_fault(reason) == short
