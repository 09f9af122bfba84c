"""Shape priors: what the drawn slices alone, and the images between them, say of a muscle on every slice."""
