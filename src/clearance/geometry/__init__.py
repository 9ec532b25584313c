"""Mathematics without networks: norms and their duals, balls, induced norms, eigenvalues, least distances."""
