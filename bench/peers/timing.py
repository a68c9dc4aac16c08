"""How long calls take: device events on CUDA, the wall clock on a CPU; always after a warm-up, always many times.

Short kernels are captured in a CUDA graph that goes round several sets of inputs, so that neither launch gaps nor
inputs left in the cache count.
"""
import os
import statistics
import time
from dataclasses import dataclass

import torch


@dataclass
class Times:
    """Milliseconds of one call."""
    median_ms: float
    min_ms: float
    max_ms: float
    repeats: int
    noise: float  # the middle half of all times, from end to end, as a part of the median
    other_cores: float | None  # cores that other processes kept busy meanwhile; None for too short a time to tell

    def fields(self):
        return dict(medianMs=_digits(self.median_ms), minMs=_digits(self.min_ms), maxMs=_digits(self.max_ms),
                    repeats=self.repeats, noise=round(self.noise, 4))

    def per_second(self, work, unit):
        """`work` units of one call, as a rate in multiples of `unit` a second."""
        return _digits(work / unit / (self.median_ms / 1e3))


def _digits(value):
    return float(f"{value:.6g}")


def time_calls(call, cuda, seconds=1.0, least=5, most=200, warmup=2, calls_each=1):
    """
    Times of `call`, repeated for about `seconds`, at least `least` and at most `most` times.

    calls_each: how many pieces of work one call does; the times are divided by it.
    """
    for _ in range(warmup):
        call()
    measure = _event_times if cuda else _wall_times
    busy, own, begun = _busy_seconds(), _own_seconds(), time.perf_counter()
    milliseconds = measure(call, seconds, least, most)
    wall = time.perf_counter() - begun
    other = _busy_seconds() - busy - (_own_seconds() - own)
    each = [t / calls_each for t in milliseconds]
    low, median, high = statistics.quantiles(each, n=4, method="inclusive") if len(each) > 1 else each * 3
    return Times(median, min(each), max(each), len(each), (high - low) / median,
                 round(max(0.0, other / wall), 2) if wall > 0.2 else None)


def _wall_times(call, seconds, least, most):
    times = []
    while len(times) < least or (sum(times) < 1e3 * seconds and len(times) < most):
        begun = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - begun))
    return times


def _event_times(call, seconds, least, most):
    """Events around every call, read once at the end: the device is never waited for in between."""
    torch.cuda.synchronize()
    begun = time.perf_counter()
    call()
    torch.cuda.synchronize()
    first = time.perf_counter() - begun
    repeats = max(least, min(most, int(seconds / max(first, 1e-9))))
    events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    events[0].record()
    for event in events[1:]:
        call()
        event.record()
    torch.cuda.synchronize()
    return [before.elapsed_time(after) for before, after in zip(events, events[1:])]


def time_kernel(calls, cuda, seconds=0.5):
    """
    Times of one short call; `calls` do the same work on different inputs. Returns (Times, graph: bool).

    On CUDA the calls are replayed from a graph; where one cannot be captured they run plainly, and `graph` is False.
    """
    if not cuda:
        def around():
            for call in calls:
                call()
        return time_calls(around, False, seconds, least=7, most=500, calls_each=len(calls)), False
    rounds = max(1, 12 // len(calls))
    sequence = list(calls) * rounds
    try:
        graph, results = capture(lambda: [call() for call in sequence], warm=lambda: [call() for call in calls])
    except RuntimeError:
        torch.cuda.synchronize()
        return time_calls(lambda: [call() for call in sequence], True, seconds, calls_each=len(sequence)), False
    times = time_calls(graph.replay, True, seconds, calls_each=len(sequence))
    del results
    return times, True


def capture(work, warm, warmups=1):
    """
    The CUDA graph of `work()`, and its results: they lie in the graph's memory pool and are rewritten by each replay.

    warm: run `warmups` times on a side stream first, so that lazy set-up (handles, workspaces, plans) is not captured.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(warmups):
            warm()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = work()
    return graph, results


def input_sets(bytes_each, cuda):
    """How many sets of inputs outgrow the caches: on CUDA about 200 MB of them, on a CPU one, as ../kernels.ts has."""
    return max(2, min(12, -(-200_000_000 // bytes_each))) if cuda else 1


def _busy_seconds():
    ticks = [int(value) for value in open("/proc/stat").readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _own_seconds():
    return sum(os.times()[:4])
