"""The pictures of docs/top.md."""
