"""Networks: the papers' architectures, the bundled classifiers, and what the command line calls a model."""
