"""Errors: of the tests' own machinery, and odd ones of an agent."""


class WordlessError(Exception):
    """An agent's own class of errors, with a bug in it: it raises where it is asked for its text."""

    def __str__(self) -> str:
        raise ValueError("not now")


class NoBrokerError(Exception):
    """A source gave no RabbitMQ; the message says why, or what to install."""
