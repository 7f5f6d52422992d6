"""Evidence: what evaluations found of versions of models, the gates that ask for it, and their verdicts. Pure: no git, no files."""
