"""The papers' experiments again, one file for each: `clearance reproduce NAME`.

`table.EXPERIMENTS` lists them. An experiment is a function from a `Session` (scale, seed, device, folder, journal) to a
`Reproduction` (tables with the paper's numbers beside ours, figures, findings). Everything that takes long goes through
the session's journal, so that an experiment that was killed goes on where it was. `pages` writes what came out.
"""
