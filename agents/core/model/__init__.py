"""What `ollama_client.py` and `ollama_pool.py` are made of, and how an agent reaches them."""
