"""What a user can mend about an audit."""


class AuditError(ValueError):
    """A corpus cannot be read, or holds nothing to look at; the message names the file and the remedy."""


class AuditStopped(KeyboardInterrupt):
    """Ctrl-C while films were measured: how many of how many are kept."""

    def __init__(self, measured: int, films: int) -> None:
        super().__init__(measured, films)
        self.measured, self.films = measured, films

    def __str__(self) -> str:
        return f"stopped: {self.measured} of {self.films} films are measured; the same command goes on from there"
