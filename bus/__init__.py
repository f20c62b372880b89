"""How messages cross: RabbitMQ through aio-pika, and an in-memory peer. Knows no agent and no model."""
