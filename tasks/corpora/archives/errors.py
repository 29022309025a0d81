"""What a user can mend about an archive, and what stands for one film that cannot be read."""


class ArchiveError(ValueError):
    """A folder is no archive of the layout that was asked for; the message names the file or column and the remedy."""


class UnreadableFilm(ValueError):
    """One image file cannot be read; the message names it, the reason and the remedy. The audit goes on."""
