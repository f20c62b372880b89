"""The version of this product; known below already, since every connection to RabbitMQ tells it."""

from bus.version import VERSION

__all__ = ["VERSION"]
