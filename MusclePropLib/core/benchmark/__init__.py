"""Every method on the same cases with the same drawn slices, scored by the same code in one run."""
