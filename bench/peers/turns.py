"""Turns of a peer: it computes when it is told to, and says how long that took.

A script calls `take_turns(compute, write)`. It computes once to warm up, says "ready", and then, for each line of standard input:

    a number R      computes R times and prints {"ms": all R together, in milliseconds}
    a path          writes the result of the last computation there, float32, row-major, and prints {"written": path}
"""

import json
import sys
import time


def say(**fields):
    print(json.dumps(fields), flush=True)


def take_turns(compute, write):
    """Takes turns; `compute()` returns what `write(result, path)` writes."""
    result = compute()
    say(ready=True)
    for line in map(str.strip, sys.stdin):
        if line.isdigit():
            start = time.perf_counter()
            for _ in range(int(line)):
                result = compute()
            say(ms=(time.perf_counter() - start) * 1e3)
        else:
            write(result, line)
            say(written=line)
