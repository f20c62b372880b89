from hypothesis import given
from hypothesis import strategies as st

from agents.exporter.bounded_names import BoundedNames


@given(st.lists(st.text(max_size=2)), st.integers(0, 5))
def test_names_keep_the_label_that_they_got_first_and_there_are_never_more_than_that(
    names: list[str], most: int
) -> None:
    bounded = BoundedNames(most)
    labels = [bounded.fold(name) for name in names]
    assert [bounded.fold(name) for name in names] == labels
    assert len(set(labels) - {"other"}) <= most
    assert all(label in (name, "other") for name, label in zip(names, labels, strict=True))
    assert bounded.fold(None) == "other"
