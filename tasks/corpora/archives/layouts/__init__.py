"""One module per layout: `find` detects it in a folder, `read` yields its films."""
