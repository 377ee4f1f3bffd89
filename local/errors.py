"""The one error of this room: it carries a message for a person, who sees it without a stack trace."""


class StackError(Exception):
    """The stack cannot do what was asked; the message says what was found and what to do."""
