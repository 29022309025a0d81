"""What a user can mend about an audit."""


class AuditError(ValueError):
    """A corpus cannot be read, or holds nothing to look at; the message names the file and the remedy."""
