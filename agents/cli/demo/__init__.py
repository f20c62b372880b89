"""`sutazai demo`: the main job on this machine, from a broker and a model to results."""
