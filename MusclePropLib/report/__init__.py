"""Pages to look at, print and hand on: one recording, or a cohort. Self-contained HTML, no network."""
