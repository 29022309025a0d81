"""The small networks that ship with us."""
