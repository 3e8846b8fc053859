"""Others' ways to the same answer. They are installed into ``build/bench-peers`` by ``make bench-peers``."""
