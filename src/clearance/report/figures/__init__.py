"""The figures of a run, or of several: one file for each, with what it draws, how, and how to read it.

table.py     the figures by name: a new figure is one new file and one entry here
figure.py    what a figure is
files.py     figures as SVG, PDF and PNG
brackets.py, averages.py, gaps.py, maxima.py, fits.py, blocks.py, pairs.py, security.py, side_by_side.py    the figures
profile.py   the chart of one input, on the pages alone
"""

from clearance.report.figures.files import write_figure
from clearance.report.figures.table import FIGURES

__all__ = ["FIGURES", "write_figure"]
