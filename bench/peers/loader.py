"""Labelled clips a second in Python, as fine-tuning reads them: the opponent of ../../lib/bench/loader.ts.

    python3 loader.py --device cpu --threads 1 --data train.csv --root /data --source train.csv

The same work: 16 frames of a video, decoded by the fastest decoder that is installed (PyAV, OpenCV), RandAugment by
Pillow, a random resized crop, a flip and random erasing by PyTorch, batches of f32. With --threads 1 all is done in this
process, on one thread; with more, in so many processes of a DataLoader. A time is that of a batch, as the mean over a
pass of a dozen clips, since what is drawn for a clip decides what it costs.
"""
import math
import os
import random
import time
from pathlib import Path

import rows

rows.require_torch("loader")
import numpy as np  # noqa: E402
import torch  # noqa: E402

from timing import time_calls  # noqa: E402

FRAMES, STRIDE = 16, 4
CLIPS_OF_A_TIME = 12
VIDEO = {".mp4", ".avi", ".mkv", ".webm", ".mov"}


def main():
    options = rows.parser(__doc__)
    options.add_argument("--data", required=True, help="a folder of videos, or a list of `path label` lines")
    options.add_argument("--root", default="", help="folder that paths of a list start from")
    options.add_argument("--source", required=True, help="what rows say of the data")
    options.add_argument("--clips", type=int, default=2, help="in a batch")
    options.add_argument("--size", type=int, default=224)
    options.add_argument("--dtypes", nargs="+", choices=["f32", "bf16"], help="not used: clips are f32")
    options.add_argument("--decoders", nargs="+", help="default: all that are installed")
    options.add_argument("--seconds", type=float, default=8.0)
    args = options.parse_args()
    session = rows.Session("loader", args)
    try:
        from videos import decoders
        import augment  # noqa: F401
        found = args.decoders or decoders()
    except ImportError as error:
        rows.refuse("loader", "cpu", f"Pillow is needed: {error}", args.out)
    if not found:
        rows.refuse("loader", "cpu", "no decoder: python -m pip install av opencv-python-headless", args.out)
    torch.set_num_threads(1)
    paths = video_paths(args.data, args.root)
    for decoder in found:
        if session.time_left():
            measure(session, args, paths, decoder)


def video_paths(data, root):
    if Path(data).is_dir():
        return sorted(str(path) for path in Path(data).rglob("*") if path.suffix in VIDEO)
    lines = [line for line in Path(data).read_text().splitlines() if line.strip()]
    return [os.path.join(root, line.rsplit(" ", 1)[0]) for line in lines]


def measure(session, args, paths, decoder):
    identity = dict(dtype="f32", clipsOf="finetune", source=args.source, clips=args.clips, frames=FRAMES, size=args.size)
    identity["variant"] = dict(decoder=decoder)
    random.seed(args.round or 0)  # other clips in every round: what was drawn for those of one weighs less
    torch.manual_seed(args.round or 0)
    try:
        processes = args.threads if args.threads > 1 else 0
        batches = torch.utils.data.DataLoader(
            LabelledClips(paths, decoder, args.size), batch_size=args.clips, sampler=Shuffled(len(paths)),
            num_workers=processes, worker_init_fn=lambda worker: random.seed(worker), persistent_workers=processes > 0)
        iterator = iter(batches)
        each = math.ceil(1 if args.quick else CLIPS_OF_A_TIME / args.clips)

        def call():
            for _ in range(each):
                next(iterator)

        call()
        used = time.process_time()
        times = time_calls(call, False, 0 if args.quick else args.seconds, least=2, most=50, warmup=0, calls_each=each)
        processor = 1e3 * (time.process_time() - used) / (times.repeats * each)
        session.row(times, **identity, clipsPerSecond=times.per_second(args.clips, 1),
                    processorMs=None if processes else float(f"{processor:.6g}"))
    except (RuntimeError, OSError, ValueError) as error:
        session.error(f"{type(error).__name__}: {error}", **identity)


class Shuffled(torch.utils.data.Sampler):
    """Every video once an epoch, in a new order each time, without end."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        while True:
            yield from random.sample(range(self.count), self.count)


class LabelledClips(torch.utils.data.Dataset):
    def __init__(self, paths, decoder, size):
        self.paths, self.decoder, self.size, self.videos = paths, decoder, size, None

    def __getitem__(self, index):  # f32 (3, T, S, S)
        from augment import augmented_clip
        from videos import OpenVideos
        self.videos = self.videos or OpenVideos(self.decoder)
        video = self.videos.get(self.paths[index])
        wanted = dense_clip(video.count)
        frames = sorted(set(wanted))
        return augmented_clip(video.read(frames), [frames.index(frame) for frame in wanted], self.size)


def dense_clip(count):
    """Frame numbers of a random clip: FRAMES points over FRAMES * STRIDE frames; a short video repeats its last one."""
    length = FRAMES * STRIDE
    if count <= length:
        points = np.linspace(0, count, count // STRIDE).tolist()
        points += [count] * (FRAMES - len(points))
        return [int(min(point, count - 1)) for point in points]
    end = random.randrange(length, count)
    return [int(min(max(point, end - length), end - 1)) for point in np.linspace(end - length, end, FRAMES)]


if __name__ == "__main__":
    main()
