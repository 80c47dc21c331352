"""What can go wrong with the local stack, each in words that say what to do."""


class StackError(Exception):
    """The stack cannot go on; the message is meant for the person at the terminal."""


class PartFailed(StackError):
    """A part did not start, or died; the message ends with the last lines of its log."""


class CommandFailed(StackError):
    """A command of the preparation failed; the message ends with what it printed."""
