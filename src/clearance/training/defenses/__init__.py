"""Ways to train a network: one file for each, one line each in `table.DEFENSES`."""
