"""Training on a folder of partially annotated volumes, and the experiments on it."""
