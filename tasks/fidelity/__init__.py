"""How near the films of a dataset version are to real ones."""
