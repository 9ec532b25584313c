"""The ratios that tell whether Clearance became better or worse: a record for each commit, and a chart of all records.

    python benchmarks/over_time.py           measure this checkout, then draw (`make bench`: three minutes on one core)
    python benchmarks/over_time.py --draw    only draw docs/figures/benchmarks.svg and the table of docs/benchmarks.md

A record is benchmarks/records/DATE-COMMIT.json: the commit, the machine, versions, and ratios of quantities that were
measured in the same minutes, so that a slow machine shifts none of them much. Networks and inputs are those that come
with the package. *Nearest* is the distance of the `thorough` attack's witness.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import torch
from speed import bare_loop, ours, paired, profile, take_turns

import clearance as cl
from clearance.zoo.specs import load_model

ROOT = Path(__file__).resolve().parents[1]
RECORDS, FIGURE, PAGE = ROOT / "benchmarks/records", ROOT / "docs/figures/benchmarks.svg", ROOT / "docs/benchmarks.md"
MARKS = re.compile(r"(?<=<!-- from benchmarks/over_time\.py: make bench -->\n).*?(?=<!-- end -->)", re.S)
NETWORKS, NORMS = ("digits-standard", "digits-robust"), (1.0, 2.0, float("inf"))
BATCHES = (16, 64, 256)
RATIOS = {
    "estimate / nearest": "median of the estimated radius over the nearest witness; higher is tighter",
    "estimates above nearest": "share of estimates that are above the nearest witness; 0 is right",
    "quick / nearest": "median distance of the `quick` attack over the nearest witness; 1 is best",
    "proof / nearest": "median certified radius over the nearest witness; higher is tighter",
    "proof / 1,000 passes": "time of one proof over that of 1,000 forward and backward passes; lower is faster",
    "profile / bare loop": "gradients a second of the `quick` estimate over those of a bare loop; higher is faster",
    "uniform / bare loop": "the same of the uniform sampler",
}
"""What is measured, and how to read it. The first four are of each norm."""


def measure(count: int, rounds: int) -> dict[str, float]:
    """All ratios, by name; those of a norm end in it."""
    found = dict(speeds(rounds))
    for norm in NORMS:
        pairs = [pair for name in NETWORKS for pair in distances(name, norm, count)]
        word = f"l{norm:g}"
        for field in ("estimate", "quick", "proof"):
            found[f"{field} / nearest, {word}"] = statistics.median(pair[field] / pair["nearest"] for pair in pairs)
        above = [pair["estimate"] > pair["nearest"] for pair in pairs]
        found[f"estimates above nearest, {word}"] = sum(above) / len(above)
    return found


def distances(name: str, norm: float, count: int) -> Iterator[dict[str, float]]:
    """What is found of each correctly classified digit, untargeted.

    Yields:
        Estimate, proof, and the distances of the `quick` and of the `thorough` attack.
    """
    data, model = cl.datasets.load("digits", count=count), bundled(name)
    right = model.logits(data.images).argmax(1) == data.labels
    x = data.images[right]
    parts = {
        "estimate": [result.radius for result in cl.clever(model, x, norm=norm, budget="quick")],
        "proof": [result.radius for result in cl.certify(model, x, norm=norm)],
        "quick": [result.distance for result in cl.attack(model, x, norm=norm, budget="quick")],
        "nearest": [result.distance for result in cl.attack(model, x, norm=norm, budget="thorough")],
    }
    for row in zip(*parts.values(), strict=True):
        yield dict(zip(parts, row, strict=True))


def speeds(rounds: int) -> Iterator[tuple[str, float]]:
    """The rates of the estimates and of a proof beside those of a bare loop.

    Yields:
        A ratio and its value.
    """
    model = bundled("digits-robust")
    x = cl.datasets.load("digits", count=1).images
    best, target = (int(k) for k in model.network(x)[0].argsort(descending=True)[:2])
    loops = {f"loop {size}": bare_loop(model.network, x, best, target, size, 2048) for size in BATCHES}
    rates = take_turns(
        {**loops, "profile": profile(model.network, x, "quick"), "uniform": ours(model.network, x, target, 8)}, rounds
    )
    fastest = max(loops, key=lambda name: statistics.median(rates[name]))
    for name in ("profile", "uniform"):
        yield f"{name} / bare loop", statistics.median(paired(rates, name, fastest))
    pass_time = 1000 / statistics.median(rates[fastest])
    proofs = [seconds(lambda: cl.certify(model, x, norm=2)) for _ in range(rounds + 1)][1:]
    yield "proof / 1,000 passes", statistics.median(proofs) / pass_time


def seconds(run: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def bundled(name: str) -> Any:
    """A network that comes with the package."""
    return cl.Classifier(load_model(name).network, bounds=(0, 1))


def record(ratios: dict[str, float]) -> dict[str, Any]:
    """A record: what was measured, on what, by which code."""
    return {
        "date": date.today().isoformat(),
        "commit": git("rev-parse", "--short=7", "HEAD") + ("+changes" if git("status", "--porcelain", "src") else ""),
        "machine": {"system": platform.system(), "processor": processor(), "cores": os.cpu_count()},
        "versions": {"clearance": cl.__version__, "python": platform.python_version(), "torch": torch.__version__},
        "ratios": {name: float(f"{value:.3g}") for name, value in sorted(ratios.items())},
    }


def processor() -> str:
    """Its name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.machine()


def git(*words: str) -> str:
    """What git says."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def records() -> list[dict[str, Any]]:
    """All that were written, the oldest first."""
    return [json.loads(file.read_text()) for file in sorted(RECORDS.glob("*.json"))]


def table(found: list[dict[str, Any]]) -> str:
    """The newest records, one column each."""
    last = found[-4:]
    heads = [f"{r['date']}, `{r['commit']}`" for r in last]
    rows = [f"| ratio | {' | '.join(heads)} |", "|---" * (len(last) + 1) + "|"]
    for name in last[-1]["ratios"]:
        values = [r["ratios"].get(name) for r in last]
        rows.append(f"| {name} | {' | '.join('' if value is None else f'{value:g}' for value in values)} |")
    return "\n".join(rows) + "\n"


def draw(found: list[dict[str, Any]]) -> None:
    """The chart and the table of the documentation."""
    import altair as alt

    rows = [
        {"record": r["commit"], "ratio": name.partition(", ")[0], "norm": norm or "all", "value": value}
        for r in found
        for name, value in r["ratios"].items()
        for norm in [name.partition(", ")[2] if name.partition(", ")[0] in RATIOS else ""]
    ]
    order = [r["commit"] for r in found]
    panels = [panel(alt, [row for row in rows if row["ratio"] == name], name, order) for name in RATIOS]
    alt.concat(*panels, columns=2).configure_view(stroke=None).save(str(FIGURE))
    PAGE.write_text(MARKS.sub(lambda _: table(found), PAGE.read_text()))


def panel(alt: Any, rows: list[dict[str, Any]], name: str, order: list[str]) -> Any:
    """One ratio over the records, a line for each norm."""
    base = alt.Chart(alt.Data(values=rows), title=name).encode(
        x=alt.X("record:N", sort=order, title=None, axis=alt.Axis(labelAngle=-30)),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=True)),
        color=alt.Color("norm:N", title="norm", scale=alt.Scale(scheme="tableau10")),
    )
    return (base.mark_line() + base.mark_point(filled=True, size=50)).properties(width=320, height=150)


def main() -> None:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=12, help="Digits of each network.  [default: 12]")
    parser.add_argument("--rounds", type=int, default=5, help="Rounds of the rates.  [default: 5]")
    parser.add_argument("--draw", action="store_true", help="Only draw the records that are there.")
    chosen = parser.parse_args()
    if not chosen.draw:
        torch.set_num_threads(1)
        new = record(measure(chosen.count, chosen.rounds))
        file = RECORDS / f"{new['date']}-{new['commit']}.json"
        RECORDS.mkdir(exist_ok=True)
        file.write_text(json.dumps(new, indent=2) + "\n")
        print(file.relative_to(ROOT), json.dumps(new["ratios"], indent=2), sep="\n")
    draw(records())


if __name__ == "__main__":
    main()
