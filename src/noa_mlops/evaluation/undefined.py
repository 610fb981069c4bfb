"""What a measure says when its rows do not define it."""


class Undefined(ValueError):
    """A metric that these rows do not define; the message says why."""
