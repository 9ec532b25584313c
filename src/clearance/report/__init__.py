"""What a person looks at: the page of a run, and figures for papers. No module here imports torch.

records.py      a run, its brackets, its failures, as plain records
read.py         a run's folder → these records
pictures.py     an input, its witness and their difference as small pictures
statistics.py   averages, gaps, shares and refits over records
tables.py       tables that can be copied as Markdown, CSV and LaTeX
marks.py        how numbers and names are written; colours and symbols
charts.py       rows → Vega-Lite specifications (Altair)
figures.py      the named figures of a run, as specifications or as SVG, PDF and PNG
payload.py      records → the compact JSON that the page's script reads
page.py         the page: one file that needs nothing else
paired.py       numbers of two runs that may be held against each other; bootstrap intervals
demands.py      what is asked of a release; gate.py judges it, drop.py against a baseline, outcome.py is what it says
compare.py      several runs against each other; contest.py is what it says, contest_tables.py as tables
compare_page.py the page of several runs
"""
