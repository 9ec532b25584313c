"""What the calls of `clearance` return in Python: lists that know how to show, keep and compare themselves.

calls.py        the public calls, which return such lists
results.py      the list, and the file that it is read back from
setup.py        what a call was asked; frames.py rows for a table of pandas; short.py the summary
kept.py         records and tensors in one safe file
pages.py        results as a run that a page can show; notebook.py how they look in a notebook
comparison.py   results of several models side by side
saved_run.py    a run from Python: made, resumed, read back; stored.py brackets from its store
"""
