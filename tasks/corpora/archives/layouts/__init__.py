"""One module per layout: `find` says whether a folder looks like it, `read` yields its films."""
