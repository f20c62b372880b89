"""What a message is known by where it has no id: a digest of all that its publisher gave it."""

from dataclasses import replace
from hashlib import sha256

from bus.envelope import foreign_headers
from bus.message import Message


def fingerprint(message: Message) -> str:
    """Return a digest, the same on every host for every delivery of one message. Two copies of a task differ."""
    # Without the broker's headers: quorum queues count deliveries there.
    return sha256(repr(replace(message, headers=foreign_headers(message.headers))).encode()).hexdigest()
