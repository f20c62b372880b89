"""What `circuit_breaker.py` is made of."""
