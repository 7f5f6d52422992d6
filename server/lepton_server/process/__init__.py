"""One serving process, from its start to its end, and the workers that it forks."""
