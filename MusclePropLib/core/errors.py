"""The one exception that reaches users as a sentence."""


class InputError(ValueError):
    """Something that the user gave is unusable.

    The message is one sentence that names the file (or node) and the fault; callers print it as it is and
    exit with status 2, without a traceback.
    """
