"""What an agent's answer has to look like, how a model is asked for it, and what is wrong in it."""
