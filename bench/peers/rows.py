"""Rows of measurements: one JSON object a line, in the format of ../../lib/bench/row.ts (described in ../results/README.md).

A row is flushed at once, so that a run which is cut off keeps what it had. Everything that identifies the machine is
gathered here too. Call `require_torch()` before `import torch`: it sets what PyTorch reads at its start, and where
PyTorch cannot be imported it writes one error row and ends the script with status 3.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
NOT_HERE = 3  # exit status: PyTorch or the device is missing


def parser(description, **defaults):
    """The options that every peer has."""
    options = argparse.ArgumentParser(description=description.strip().splitlines()[0])
    options.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    options.add_argument("--out", help="append the rows to this file; they are printed in any case")
    options.add_argument("--budget", type=float, default=float("inf"), help="start no row after so many seconds")
    options.add_argument("--quick", action="store_true", help="tiny shapes: shows in seconds that everything runs")
    options.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="CPU threads")
    options.add_argument("--round", type=int, help="number of the round, where runs of two systems alternate")
    options.add_argument("--heap", choices=["kept", "default"], default="kept",
                         help="CPU: whether glibc keeps freed memory; by default every large activation is returned "
                              "to the system and paged in again each step")
    options.set_defaults(**defaults)
    return options


def require_torch(bench):
    """Ends the script with an error row and status 3 unless PyTorch can be imported."""
    os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    try:
        import torch  # noqa: F401
    except ImportError as error:
        out, device = (_option(name) for name in ("--out", "--device"))
        refuse(bench, device or "cuda", f"PyTorch cannot be imported by {sys.executable}: {error}", out)


def _option(name):
    """The value of an option before the arguments are parsed, which a script does after importing PyTorch."""
    argv = sys.argv[1:]
    found = [a.split("=", 1)[1] for a in argv if a.startswith(name + "=")]
    found += [value for key, value in zip(argv, argv[1:]) if key == name]
    return found[-1] if found else None


def refuse(bench, device, reason, out=None):
    """Writes the one error row of a script that cannot run here, and ends it with status 3."""
    row = dict(bench=bench, system="pytorch", device=device, error=reason, date=_now())
    _write(row, out)
    sys.exit(NOT_HERE)


class Session:
    """The rows of one script, on one device, within one budget."""

    def __init__(self, bench, args):
        import torch
        self.bench, self.out, self.quick, self.round = bench, args.out, args.quick, args.round
        self.deadline = time.monotonic() + args.budget
        self.cuda = args.device == "cuda"
        if self.cuda and not torch.cuda.is_available():
            built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
            refuse(bench, "cuda", f"PyTorch {torch.__version__}, {built}, finds no usable GPU", args.out)
        self.device = torch.device(args.device)
        self.threads = args.threads
        torch.set_num_threads(args.threads)
        self.heap = args.heap
        policy = os.environ.get("OMP_WAIT_POLICY")
        self.waiting = {"threadsWait": policy.lower()} if policy else {}
        if not self.cuda and args.heap == "kept":
            keep_heap()
        self.facts = machine_facts(self.cuda)

    def time_left(self):
        """Whether another row may be started."""
        return time.monotonic() < self.deadline

    def row(self, times, **fields):
        """A measured row; `times` is a timing.Times. Fields that are None are left out."""
        self._emit({**fields, **times.fields(), **({} if self.cuda else {"otherCores": times.other_cores})})

    def error(self, reason, **fields):
        """A row that says what failed instead of how long it took."""
        self._emit({**fields, "error": " ".join(str(reason).split())[:400]})

    def verdict(self, name, verdict, detail, **fields):
        """A row that says whether something is as it should be."""
        self._emit({"name": name, **fields, "verdict": verdict, "detail": detail})

    def _emit(self, fields):
        identity = dict(bench=self.bench, system="pytorch", device=self.device.type)
        if not self.cuda:
            identity["threads"] = self.threads
            fields["variant"] = {**fields.get("variant", {}), "heap": self.heap, **self.waiting}
        rest = dict(round=self.round, quick=self.quick or None, **self.facts, date=_now())
        row = {**identity, **fields, **rest}
        _write({key: value for key, value in row.items() if value is not None}, self.out)


def _write(row, out):
    line = json.dumps(row, ensure_ascii=False, allow_nan=False)
    print(line, flush=True)
    if out:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        with open(out, "a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())


def _now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def keep_heap():
    """Tells glibc to serve all sizes from the heap and never to give it back."""
    import ctypes
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        raise SystemExit("--heap kept: this C library has no mallopt; use --heap default")
    M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
    for name, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, 256 << 20)):
        if mallopt(name, value) != 1:
            raise SystemExit(f"--heap kept: mallopt({name}, {value}) failed; use --heap default")


def machine_facts(cuda):
    """`machine` (what it ran on) and `versions` (with what); `commit` where there is a repository."""
    import torch
    machine = dict(processor=_processor(), cores=os.cpu_count())
    versions = dict(torch=torch.__version__, python=platform.python_version())
    if cuda:
        properties = torch.cuda.get_device_properties(0)
        machine = dict(name=properties.name, multiprocessors=properties.multi_processor_count,
                       memoryBytes=properties.total_memory, **machine, **_nvidia_smi())
        versions.update(cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version(), triton=_version("triton"))
    else:
        machine = dict(name=machine["processor"], **machine)
    facts = dict(machine=machine, versions={key: value for key, value in versions.items() if value is not None})
    commit = os.environ.get("VIDEOMAE_COMMIT") or _output("git", "-C", str(BENCH), "rev-parse", "--short=12", "HEAD")
    return {**facts, **({"commit": commit} if commit else {})}


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _nvidia_smi():
    """Driver, clocks and power as the card is found; nothing is changed. Empty where nvidia-smi is not there."""
    asked = {"driver_version": "driver", "clocks.sm": "clockSmMhz", "clocks.max.sm": "clockMaxSmMhz",
             "clocks.mem": "clockMemoryMhz", "power.limit": "powerLimitWatt", "power.draw": "powerDrawWatt",
             "temperature.gpu": "temperatureCelsius"}
    text = _output("nvidia-smi", "--query-gpu=" + ",".join(asked), "--format=csv,noheader,nounits", "--id=0")
    values = [value.strip() for value in text.split(",")] if text else []
    if len(values) != len(asked):
        return {}
    return {name: value if name == "driver" else _number(value) for name, value in zip(asked.values(), values)}


def _number(text):
    try:
        return float(text)
    except ValueError:
        return text  # "[N/A]"


def _version(package):
    from importlib import metadata
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
