"""A run: a folder with a plan and its results, which can be stopped at any moment and resumed. See docs/runs.md.

plan.py         what is computed, as a frozen record with a content hash; the tasks that follow from it; data_spec.py
                its inputs, threat.py its threat model
growth.py       the plan of a run that goes on with more than it has; differences.py why another plan is refused
references.py   which inputs of the whole set the audits walk to
fingerprint.py  the digest of a network in the plan
answers.py      what the network answers on a few inputs, in the plan as well
agreement.py    whether two records of answers are those of one network
store.py        the results: one SQLite file, one transaction for each finished task
execute.py      start or resume a run, and compute what is missing
export.py       the results as JSON, CSV or Parquet
files.py        files that are replaced whole or not at all
"""
