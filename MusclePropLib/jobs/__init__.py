"""One propagation as a job of a background process; imports neither Slicer nor Qt, and torch only in the worker.

with Runner(PipeChannel()) as runner, write_job(volume, annotations, {"time_limit": 60}) as job:
    final = run_to_end(runner, job, on_event=print)
    if final.name == "result":
        labels = read_result(job).labels
"""
