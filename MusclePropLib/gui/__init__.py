"""The module's panel in Slicer: widgets and what connects them; the computing is left to the worker process."""
