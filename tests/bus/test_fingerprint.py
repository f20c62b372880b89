from dataclasses import replace

import pytest

from bus.envelope import COPIES_HEADER
from bus.fingerprint import fingerprint
from bus.message import Message

SENT = Message(b'{"prompt": "x"}', message_id="m", priority=4, headers={"mine": 1})


def test_every_delivery_of_a_message_has_the_same_digest_whatever_the_broker_adds() -> None:
    again = replace(SENT, headers={**SENT.headers, "x-delivery-count": 3, COPIES_HEADER: 1})
    assert fingerprint(again) == fingerprint(SENT)


@pytest.mark.parametrize(
    "other",
    [
        replace(SENT, body=b'{"prompt": "y"}'),
        replace(SENT, message_id="n"),
        replace(SENT, headers={"mine": 2}),
        replace(SENT, priority=5),
    ],
)
def test_two_messages_have_two_digests(other: Message) -> None:
    assert fingerprint(other) != fingerprint(SENT)
