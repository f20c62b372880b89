"""Rewriting a v1 agent to v2: a plan from its syntax tree, then the change itself, which keeps comments and layout."""
