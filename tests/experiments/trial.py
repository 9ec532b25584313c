"""An experiment of the tests: three measurements, of which one can be made to be interrupted."""

import os
import signal

from clearance.experiments.outcome import Finding, PaperFigure, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.table import Experiment
from clearance.report.charts import Panel, data_of, for_file

INTERRUPTED_AT = "CLEARANCE_TEST_INTERRUPTED_AT"
TRIAL = Experiment("three numbers, squared", "trial:trial", "Nobody 1900, table 1", ("digits",))


def trial(session: Session) -> Reproduction:
    import altair as alt

    squares = [session.journal.measured(("square", n), lambda n=n: square(n, session)) for n in (1, 2, 3)]
    rows = [{"n": n, "square": value} for n, value in enumerate(squares, start=1)]
    chart = alt.Chart(data_of(rows)).mark_bar().encode(x="n:O", y="square:Q")
    return Reproduction(
        tables=(
            PaperTable(
                "Table 1. Squares", ("n", "paper", "here"), tuple((str(n), n * n, s) for n, s in enumerate(squares, 1))
            ),
        ),
        figures=(PaperFigure("figure-1", "Figure 1 <b>", for_file([Panel("squares", chart)])),),
        findings=(Finding("Squares grow", squares == sorted(squares), f"{squares[0]} to {squares[-1]}"),),
        settings=(f"Scale {session.choose(tiny='T', small='S', paper='P')}.",),
    )


def square(number: int, session: Session) -> float:
    session.say(f"squaring {number}")
    if os.environ.get(INTERRUPTED_AT) == str(number):
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
        os.kill(os.getpid(), signal.SIGINT)
    return float(number * number)
