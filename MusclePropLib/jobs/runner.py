"""The client's side of the worker: submit a job, poll its events, stop or cancel it."""

from __future__ import annotations

import time
from collections.abc import Callable

from MusclePropLib.core.steps import Steps, advance
from MusclePropLib.jobs.channel import Channel
from MusclePropLib.jobs.job import Job, JobError, check_result
from MusclePropLib.jobs.protocol import Event, LineSplitter, encode, failed, log, parse_event

CANCEL_GRACE = 1.4  # seconds until a worker that does not answer a cancel is killed
CHECK_SECONDS = 0.02  # of a result at each poll
ERROR_TAIL = 8000  # bytes of stderr that go with a failure

DIED = "The computation ended unexpectedly, most often because the computer ran out of memory; details are in the log."
NOT_STARTED = "The computation could not be started; details are in the log."
NOT_VALID = "The computation ended without a usable result; details are in the log."


class Runner:
    """One warm worker behind a `Channel`, one job at a time.

    No call blocks; `poll` is to be called every few hundredths of a second. Every submitted job ends with exactly one
    of the events `result` (only if the result file proves valid), `failed` and `cancelled`, whatever the worker does.
    """

    def __init__(self, channel: Channel, clock: Callable[[], float] = time.monotonic) -> None:
        self._channel = channel
        self._clock = clock
        self._lines = LineSplitter()
        self._errors = b""
        self._own: list[Event] = []  # events that the runner itself has to tell
        self._job: Job | None = None
        self._running = False
        self._deadline: float | None = None
        self._check: tuple[Event, Steps] | None = None  # a result that is being looked through
        self.ready: Event | None = None

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None

    @property
    def cancelling(self) -> bool:
        """Whether a cancel was asked for and not yet answered."""
        return self._deadline is not None

    def warm_up(self) -> None:
        """Start the worker before there is a job, so that the first one does not wait for it."""
        if self._running and self._channel.alive():
            return
        self._lines, self.ready = LineSplitter(), None
        self._errors = b""
        try:
            self._channel.start()
            self._running = True
        except OSError as fault:
            self._running = False
            self._finish(NOT_STARTED, str(fault))

    def submit(self, job: Job) -> None:
        """Hand over a written job; RuntimeError while another one is under way."""
        if self.busy:
            raise RuntimeError("a propagation is already under way")
        self._job = job
        self.warm_up()
        if self._running:
            self._send("propagate", folder=str(job.folder))

    def stop(self) -> None:
        """Ask for the best result so far."""
        if self.busy:
            self._send("stop")

    def cancel(self) -> None:
        """Ask for an end without a result; a worker that does not answer within CANCEL_GRACE is killed.

        One that is still starting, which can take longer than that, is left to find out: nothing is under way there.
        """
        if self.busy and not self.cancelling:
            self._deadline = self._clock() + CANCEL_GRACE
            self._send("cancel")

    def close(self) -> None:
        """Let the worker end. A job under way is given up."""
        if self._running:
            self._channel.end()
        self._running = False
        self._end_job()

    def poll(self) -> list[Event]:
        """The events since the last call, oldest first."""
        events = []
        if self._running:
            events += self._listen()
        if self._check is not None:
            events += self._checked()
        own, self._own = self._own, []
        return events + own

    def _listen(self) -> list[Event]:
        """What the worker says, and whether it lives."""
        events: list[Event] = []
        alive = self._channel.alive()  # before reading: what a dead worker left is read below
        for line in self._lines.feed(self._channel.read()):
            events += self._judge(parse_event(line))
        self._errors = (self._errors + self._channel.read_errors())[-ERROR_TAIL:]
        if not alive:
            self._channel.kill()  # its children
            self._running = False
            if self._check is None:
                self._finish(DIED)
        elif self.cancelling and (self.ready is None or self._check is not None):
            self._finish("")
        elif self.cancelling and self._clock() > self._deadline:
            self._channel.kill()
            self._running = False
            self._finish("")
        return events

    def _send(self, request: str, **more: str) -> None:
        try:
            self._channel.write(encode({"request": request, "job": self._job.id, **more}))
        except OSError:  # the next poll finds the worker dead and says so
            return

    def _judge(self, event: Event) -> list[Event]:
        """What the client is to see of a worker's event."""
        if event.name == "ready":
            self.ready = event
        if event.name in ("ready", "log"):
            return [event]
        if self._job is None or event.job not in ("", self._job.id):
            return [log(f"{event.name}: {event.data['message']}", "error")] if event.name == "failed" else []
        if event.final and self.cancelling:  # also a result that came at the last moment: nobody wants it any more
            event = Event("cancelled", self._job.id)
        elif event.name == "result":
            self._check = event, check_result(self._job)
            return []
        if event.final:
            event = Event(event.name, self._job.id, event.data)
            self._end_job()
        return [event]

    def _checked(self) -> list[Event]:
        """Go on looking through the result; its event once that is done."""
        event, steps = self._check
        try:
            if not advance(steps, CHECK_SECONDS):
                return []
        except JobError as fault:
            event = failed(self._job.id, NOT_VALID, str(fault))
        event = Event(event.name, self._job.id, event.data)
        self._end_job()
        return [event]

    def _finish(self, message: str, details: str = "") -> None:
        """End the job, if there is one, for a reason that the worker cannot tell itself."""
        tail = self._errors.decode("utf-8", errors="replace").strip()
        details = "\n".join(filter(None, [details, tail]))
        if self._job is None:
            self._own.append(log(f"{message}\n{details}".strip(), "warning"))
        elif self.cancelling:
            self._own.append(Event("cancelled", self._job.id))
        else:
            self._own.append(failed(self._job.id, message, details))
        self._end_job()

    def _end_job(self) -> None:
        self._job, self._deadline, self._check = None, None, None


def run_to_end(runner: Runner, job: Job, on_event: Callable[[Event], None], poll_seconds: float = 0.02) -> Event:
    """Submit `job`, pass every event on, return the final one. Ctrl-C cancels; a second Ctrl-C raises."""
    runner.submit(job)
    while True:
        try:
            for event in runner.poll():
                on_event(event)
                if event.final:
                    return event
            time.sleep(poll_seconds)
        except KeyboardInterrupt:
            if runner.cancelling or not runner.busy:
                raise
            runner.cancel()
