"""Downloads: plans of ranges, whole files, shares."""
