"""Read archives of real chest films as their publishers laid them out, and their image files, whatever they are."""
