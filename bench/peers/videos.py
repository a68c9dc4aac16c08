"""Frames of videos by what Python has to decode them: PyAV and OpenCV, each on one thread. Either keeps a few files open.

Both seek to the key frame before the first wanted frame, and make RGB of the wanted frames only.
"""
import bisect
from collections import OrderedDict

import numpy as np

OPEN_FILES = 8


class PyAvVideo:
    def __init__(self, path):
        import av
        self.container = av.open(path, metadata_errors="replace")
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "NONE"
        self.stream.codec_context.thread_count = 1
        packets = [p for p in self.container.demux(self.stream) if p.size]
        moment = lambda p: p.pts if p.pts is not None else p.dts  # noqa: E731
        self.times = sorted(map(moment, packets))
        self.keys = sorted(moment(p) for p in packets if p.is_keyframe)
        self.count = len(self.times)

    def read(self, wanted):
        """u8 (len(wanted), H, W, 3); wanted: ascending frame numbers."""
        first = self.times[wanted[0]]
        found = self._decode(wanted, self.keys[max(0, bisect.bisect_right(self.keys, first) - 1)])
        if len(found) < len(wanted):  # a file whose times do not say which frame is which
            found = self._count(wanted)
        return np.stack([found[i] for i in wanted])

    def _decode(self, wanted, key):
        numbers, last, found = {self.times[i]: i for i in wanted}, self.times[wanted[-1]], {}
        self.container.seek(key, stream=self.stream, backward=True)
        for frame in self.container.decode(self.stream):
            if frame.pts in numbers:
                found[numbers[frame.pts]] = frame.to_ndarray(format="rgb24")
            if frame.pts is None or frame.pts >= last:
                break
        return found

    def _count(self, wanted):
        found, numbers = {}, set(wanted)
        self.container.seek(self.keys[0], stream=self.stream, backward=True)
        for number, frame in enumerate(self.container.decode(self.stream)):
            if number in numbers:
                found[number] = frame.to_ndarray(format="rgb24")
            if number >= wanted[-1]:
                break
        return found

    def close(self):
        self.container.close()


class OpenCvVideo:
    def __init__(self, path):
        import cv2
        cv2.setNumThreads(1)
        self.capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        self.rgb, self.position = (lambda picture: cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)), cv2.CAP_PROP_POS_FRAMES
        self.count = int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(self, wanted):
        self.capture.set(self.position, wanted[0])
        pictures, at = [], wanted[0]
        for number in wanted:
            while at <= number:
                if not self.capture.grab():
                    raise RuntimeError(f"no frame {at} of {self.count}")
                at += 1
            pictures.append(self.rgb(self.capture.retrieve()[1]))
        return np.stack(pictures)

    def close(self):
        self.capture.release()


DECODERS = {"pyav": ("av", PyAvVideo), "opencv": ("cv2", OpenCvVideo)}


def decoders():
    """Names of the decoders that can be imported."""
    import importlib.util
    return [name for name, (module, _) in DECODERS.items() if importlib.util.find_spec(module)]


class OpenVideos:
    """The files read last, open."""

    def __init__(self, decoder):
        self.make, self.open = DECODERS[decoder][1], OrderedDict()

    def get(self, path):
        video = self.open.pop(path, None) or self.make(path)
        self.open[path] = video
        if len(self.open) > OPEN_FILES:
            self.open.popitem(last=False)[1].close()
        return video
