"""The doctor: facts of broker and model servers are gathered here and judged by pure functions; the CLI shows them."""
