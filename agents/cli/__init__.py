"""The command `sutazai`: one file a command group."""
