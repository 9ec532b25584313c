"""A driver to kill: `python drive.py FOLDER COUNT LOG [ray]` starts or resumes a run of attacks on real digits."""

import sys
from pathlib import Path

from clearance.runs.engines.local import LocalEngine
from clearance.runs.engines.ray import RayEngine
from clearance.runs.execute import open_run
from run_tasks import digits_plan, load_shared, logged

if __name__ == "__main__":
    folder, count, log = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    engine = RayEngine(workers=2) if sys.argv[4:] == ["ray"] else LocalEngine()
    plan, shared = digits_plan(count), {"digits": load_shared(count), "log": log}
    Path(log).touch()
    print("ready", flush=True)  # noqa: T201
    with open_run(folder, plan, resume=True) as run:
        for record in run.compute(logged, shared=shared, engine=engine):
            print(record.key, flush=True)  # noqa: T201
