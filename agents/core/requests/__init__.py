"""What `request_queue.py` is made of."""
