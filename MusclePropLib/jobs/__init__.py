"""One propagation as a job: what is sent, the events that come back, the worker process and its runner."""
