"""Moving agents of the first generation over: what a tree holds, and its files rewritten."""
