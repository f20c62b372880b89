"""The error of the tests' own machinery."""


class NoBrokerError(Exception):
    """A source gave no RabbitMQ; the message says why, or what to install."""
