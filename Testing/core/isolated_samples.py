"""Functions that misbehave in a process of their own; the name of one is an array's name."""

import os
import subprocess
import sys
import time


def compute(arrays):
    return globals()[next(iter(arrays))](arrays)


def doubles(arrays):
    return {"twice": 2 * arrays["doubles"]}


def aborts(arrays):
    os.abort()


def raises(arrays):
    raise ValueError("no such luck")


def misses(arrays):
    import no_such_package_anywhere  # noqa: F401


def hangs(arrays):
    """Start a grandchild that hangs as well, and write its id where the test looks."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(str(arrays["path"]), "w") as file:
        file.write(str(child.pid))
    time.sleep(60)


def aborts_at_exit(arrays):
    import atexit

    atexit.register(os.abort)
    return {"twice": 2 * arrays["aborts_at_exit"]}


def waits(arrays):
    time.sleep(60)


def naps(arrays):
    """Write its own process id where the test looks, and sleep."""
    with open(str(arrays["path"]), "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
