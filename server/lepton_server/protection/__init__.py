"""Protection of branches and paths: rules, evidence, locks, and the decision about a push."""
