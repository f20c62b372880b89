"""The live view of a fleet: `sutazai top`. What it shows is decided by pure functions; docs/top.md explains it."""
