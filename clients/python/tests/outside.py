"""What the tests share: they see the service only as its callers do."""

import sys
import threading
import time
import traceback
import uuid

import grpc
from google.protobuf import timestamp_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

# Long enough for a loaded machine; a call that takes so long is lost.
PATIENCE = 30

CHECKS = []


def check(function):
    """Registers a check; its name says what it proves."""
    CHECKS.append(function)
    return function


def run(*arguments):
    """Runs every check and says how many passed; returns the exit code."""
    failed = 0
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        started = time.monotonic()
        try:
            function(*arguments)
        except Exception:
            failed += 1
            print(f"FAILED  {name}", flush=True)
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"ok      {name} ({time.monotonic() - started:.1f} s)", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def address_from_arguments(usage):
    """The server's address: the one argument."""
    if len(sys.argv) != 2:
        sys.exit(usage)
    return sys.argv[1]


def equal(got, wanted, what):
    """Asserts equality, and shows both sides if there is none."""
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


def new_id():
    """A request id, as every client is to make them."""
    return str(uuid.uuid4())


def at(seconds_from_now):
    """A time relative to now."""
    return timestamp_pb2.Timestamp(seconds=int(time.time()) + seconds_from_now)


class Refusal:
    """The parts of an error that the contract promises."""

    def __init__(self, error):
        self.code = error.code()
        self.message = error.details()
        status = rpc_status.from_call(error)
        assert status is not None, f"the error has no details: {error}"
        self.read(status)

    @classmethod
    def of(cls, status):
        """The refusal in a google.rpc.Status, such as a batch's result has."""
        refusal = cls.__new__(cls)
        refusal.code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        refusal.message = status.message
        refusal.read(status)
        return refusal

    def read(self, status):
        self.reason, self.metadata, self.fields, self.retry_after = None, {}, [], None
        for detail in status.details:
            info, bad, retry = (
                error_details_pb2.ErrorInfo(),
                error_details_pb2.BadRequest(),
                error_details_pb2.RetryInfo(),
            )
            if detail.Unpack(info):
                equal(info.domain, "leadpipeline", "the domain of the ErrorInfo")
                self.reason, self.metadata = info.reason, dict(info.metadata)
            elif detail.Unpack(bad):
                self.fields = [violation.field for violation in bad.field_violations]
                for violation in bad.field_violations:
                    assert violation.description, f"a violation of {violation.field} says nothing"
            elif detail.Unpack(retry):
                self.retry_after = retry.retry_delay


def refused(code, reason, call, request):
    """Calls, and asserts that the call fails with this code and reason, and with a text."""
    try:
        answer = call(request, timeout=PATIENCE)
        if not hasattr(answer, "DESCRIPTOR"):
            for response in answer:
                raise AssertionError(f"wanted {code.name} / {reason}, got a response: {response}")
            raise AssertionError(f"wanted {code.name} / {reason}, the stream ended well")
    except grpc.RpcError as error:
        refusal = Refusal(error)
    else:
        raise AssertionError(f"wanted {code.name} / {reason}, got an answer: {answer}")
    equal((refusal.code, refusal.reason), (code, reason), f"the refusal ({refusal.message})")
    assert refusal.message, "the error has no text"
    return refusal


def invalid(fields, call, request):
    """Calls, and asserts INVALID_ARGUMENT for just these fields."""
    refusal = refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", call, request)
    equal(sorted(refusal.fields), sorted(fields), "the fields of the BadRequest")
    return refusal


class Watcher(threading.Thread):
    """Reads a watch in the background and checks what every response promises.

    `complete` says that the stream is unfiltered and has unchanged entries too: then every position must be there.
    """

    def __init__(self, stub, request, complete=False, resumed=None):
        super().__init__(daemon=True)
        self.call = stub.WatchStageChanges(request)
        self.complete = complete
        self.through = dict(resumed or {})
        self.resumed = resumed is not None
        self.changes = []
        self.responses = []
        self.notices = []
        self.cursor = None
        self.failure = None
        self.stopping = False
        self.news = threading.Condition()
        self.start()

    def run(self):
        try:
            for response in self.call:
                with self.news:
                    self.take(response)
                    self.news.notify_all()
        except BaseException as failure:
            with self.news:
                if not (self.stopping and isinstance(failure, grpc.RpcError)):
                    self.failure = failure
                self.news.notify_all()

    def take(self, response):
        assert response.cursor, "a response without a cursor"
        assert response.behind >= 0, f"behind is {response.behind}"
        if not self.responses:
            self.take_first(response)
        ranges = {}
        for coverage in response.coverage:
            partition = coverage.partition
            assert partition not in ranges, f"partition {partition} is covered twice in one response"
            assert partition in self.through, f"partition {partition} is news after the first response"
            equal(coverage.after, self.through[partition], f"after meets through before it, partition {partition}")
            assert coverage.after <= coverage.through, f"coverage goes backwards in partition {partition}"
            ranges[partition] = (coverage.after, coverage.through)
        positions = {}
        for change in response.changes:
            after, through = ranges.get(change.partition, (0, 0))
            assert after < change.position <= through, f"{change.partition}/{change.position} is not covered"
            positions.setdefault(change.partition, []).append(change.position)
        for partition, (after, through) in ranges.items():
            found = positions.get(partition, [])
            equal(found, sorted(set(found)), f"positions ascend in partition {partition}")
            if self.complete:
                equal(found, list(range(after + 1, through + 1)), f"no position is left out in partition {partition}")
            self.through[partition] = through
        self.changes.extend(response.changes)
        self.responses.append(response)
        self.notices.append(response.notice)
        self.cursor = response.cursor

    def take_first(self, response):
        equal(list(response.changes), [], "the first response is a checkpoint")
        assert response.coverage, "the first response covers no partition"
        for coverage in response.coverage:
            equal(coverage.after, coverage.through, "the first coverage is where the stream starts")
        starts = {coverage.partition: coverage.after for coverage in response.coverage}
        if self.resumed:
            equal(starts, self.through, "a resumed stream starts where its cursor was")
        self.through = starts

    def wait_for(self, what, condition):
        """Waits until the condition holds of this watcher."""
        with self.news:
            done = self.news.wait_for(lambda: self.failure or condition(self), PATIENCE)
            if self.failure:
                raise AssertionError(f"the stream failed: {self.failure}") from self.failure
            assert done, f"the watcher waited {PATIENCE} s in vain for {what}; it has {len(self.changes)} changes"
        return self

    def started(self):
        """Waits for the first response: every later change will be seen."""
        return self.wait_for("the first response", lambda watcher: watcher.responses)

    def versions_of(self, lead_id):
        """The versions seen of a lead, in the order of the stream."""
        return [change.version for change in self.changes if change.lead_id == lead_id]

    def stop(self):
        """Ends the stream; what was seen stays."""
        self.stopping = True
        self.call.cancel()
        self.join(PATIENCE)
        if self.failure:
            raise AssertionError(f"the stream failed: {self.failure}") from self.failure
