"""What a person looks at: the page of a run, and figures for papers. No module here imports torch.

records.py      a run, its brackets, its failures, as plain records
read.py         a run's folder → these records
pictures.py     an input, its witness and their difference as small pictures
marks.py        how numbers and names are written; the table of the three numbers: name, rounding, colour, shape
statistics.py   averages, gaps, shares and refits over records; flags.py groups the audit's flags
families.py     the block maxima of one input under each extreme-value family
tables.py       tables that can be copied as Markdown, CSV and LaTeX
figures/        one file for each figure, and the table of figures; charts.py is what their charts share
security.py     robust accuracy at every radius, from proofs and witnesses; security_tables.py its tables
checklist.py    what a claim about a defence owes its readers, with the run's evidence; repeat.py the command of a plan
payload.py      records → the compact JSON that the page's script reads
render.py       templates filled with runs: what all pages share
page.py         the page of one run: one file that needs nothing else; answer.py says its first sentences,
                notices.py what is missing, next_steps.py what to do
auditor.py      what an auditor asks of a run; median_table.py its medians; auditor_page.py is the page,
                without a script
row_words.py    medians and numbers in words, the same on pages, in the terminal and in Python
paired.py       numbers of several runs, paired by input; bootstrap intervals
compare.py      several runs compared; contest.py is the result, contest_answer.py its sentences, contest_tables.py its
                tables, compare_page.py its page
gate.py         judges a release by demands.py; criteria.py is the table of criteria, medians.py and accuracy_limits.py
                judge those and their worst classes, drop.py compares with a baseline; outcome.py is the result,
                outcome_markdown.py writes it for a person
"""
