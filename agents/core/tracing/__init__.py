"""Where the spans of a process go, by choice: to a collector, a file or the console."""
