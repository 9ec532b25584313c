"""A driver to kill: `python drive.py FOLDER COUNT LOG [ray]` starts or resumes a run of attacks on real digits.

`python drive.py fork` imports everything once, then forks a driver for each such line of arguments on its stdin, and
says how each of them ended.
"""

import os
import sys
from functools import cache
from pathlib import Path

from clearance.runs.engines.local import LocalEngine
from clearance.runs.engines.ray import RayEngine
from clearance.runs.execute import open_run
from run_tasks import digits_plan, load_shared, logged


def say(text: object) -> None:
    print(text, flush=True)  # noqa: T201


@cache
def material(count: int):
    return digits_plan(count), load_shared(count)


def drive(folder: str, count: str, log: str, *engine: str) -> None:
    plan, digits = material(int(count))
    Path(log).touch()
    say(f"ready {os.getpid()}")
    with open_run(folder, plan, resume=True) as run:
        chosen = RayEngine(workers=2) if engine == ("ray",) else LocalEngine()
        for record in run.compute(logged, shared={"digits": digits, "log": log}, engine=chosen):
            say(record.key)


def fork(line: str) -> None:
    arguments = line.split()
    material(int(arguments[1]))
    if (driver := os.fork()) == 0:
        try:
            drive(*arguments)
            os._exit(0)
        finally:  # whatever happens, the loop over stdin is the parent's
            os._exit(1)
    say(f"ended {os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1])}")


if __name__ == "__main__":
    if sys.argv[1] == "fork":
        for arguments in sys.stdin:
            fork(arguments)
    else:
        drive(*sys.argv[1:])
