"""What fine-tuning does to a clip, with Pillow and PyTorch: RandAugment, a random resized crop, a flip, random erasing.

The operations and their strengths are those of ../../lib/data/rand-augment.ts, which gives Pillow's pixels to the bit.
Each frame goes through Pillow once; the crop is stretched and normalised as one f32 tensor of all frames.
"""
import math
import random

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

GREY = (128, 128, 128)
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
KINDS = ["autoContrast", "equalize", "invert", "rotate", "posterize", "solarize", "solarizeAdd", "color", "contrast",
         "brightness", "sharpness", "shearX", "shearY", "translateX", "translateY"]
ENHANCERS = {"color": ImageEnhance.Color, "contrast": ImageEnhance.Contrast, "brightness": ImageEnhance.Brightness,
             "sharpness": ImageEnhance.Sharpness}


def draw_steps(magnitude=7, count=4, deviation=0.5):
    """(kind, amount) of the operations of one clip; every one grows stronger with the magnitude."""
    steps = []
    for kind in random.choices(KINDS, k=count):
        if random.random() < 0.5:
            part = min(max(random.gauss(magnitude, deviation), 0), 10) / 10
            steps.append((kind, amount(kind, part, random.choice((-1, 1)))))
    return steps


def amount(kind, part, sign):
    most = dict(rotate=30, shearX=0.3, shearY=0.3, translateX=0.45, translateY=0.45)
    if kind in most:
        return sign * part * most[kind]
    if kind in ENHANCERS:
        return 1 + sign * part * 0.9
    whole = dict(posterize=4 - int(part * 4), solarize=256 - int(part * 256), solarizeAdd=int(part * 110))
    return whole.get(kind, 0)


def apply(image, kind, k):
    """One operation on one picture."""
    if kind in ENHANCERS:
        return ENHANCERS[kind](image).enhance(k)
    if kind == "rotate":
        return image.rotate(k, resample=Image.Resampling.BICUBIC, fillcolor=GREY)
    if kind in ("shearX", "shearY", "translateX", "translateY"):
        rows = dict(shearX=(1, k, 0, 0, 1, 0), shearY=(1, 0, 0, k, 1, 0),
                    translateX=(1, 0, k * image.width, 0, 1, 0), translateY=(1, 0, 0, 0, 1, k * image.height))
        return image.transform(image.size, Image.Transform.AFFINE, rows[kind], resample=Image.Resampling.BICUBIC,
                               fillcolor=GREY)
    if kind == "solarizeAdd":
        return image.point([min(255, v + k) if v < 128 else v for v in range(256)] * 3)
    if kind == "posterize":
        return image if k >= 8 else ImageOps.posterize(image, k)
    if kind == "solarize":
        return ImageOps.solarize(image, k)
    return dict(autoContrast=ImageOps.autocontrast, equalize=ImageOps.equalize, invert=ImageOps.invert)[kind](image)


def augment_frames(frames, steps):
    """u8 (T, H, W, 3) -> u8 (T, H, W, 3)."""
    if not steps:
        return frames
    out = np.empty_like(frames)
    for t, frame in enumerate(frames):
        image = Image.fromarray(frame)
        for kind, k in steps:
            image = apply(image, kind, k)
        out[t] = image
    return out


def crop_box(width, height, area=(0.08, 1), aspect=(3 / 4, 4 / 3)):
    """x, y, width, height of the box that becomes the input."""
    for _ in range(10):
        target = width * height * random.uniform(*area)
        ratio = math.exp(random.uniform(math.log(aspect[0]), math.log(aspect[1])))
        w, h = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < w <= width and 0 < h <= height:
            return random.randint(0, width - w), random.randint(0, height - h), w, h
    ratio = min(max(width / height, aspect[0]), aspect[1])
    w, h = min(width, round(height * ratio)), min(height, round(width / ratio))
    return (width - w) // 2, (height - h) // 2, w, h


def augmented_clip(frames, places, size, erase=0.25):
    """
    frames: u8 (U, H, W, 3), each frame of the clip once; places: which stands at each of the T places.
    Returns f32 (3, T, size, size), normalised.
    """
    frames = augment_frames(frames, draw_steps())
    x, y, w, h = crop_box(frames.shape[2], frames.shape[1])
    box = torch.from_numpy(frames)[:, y:y + h, x:x + w].permute(0, 3, 1, 2).float()
    clip = torch.nn.functional.interpolate(box, size=(size, size), mode="bilinear", align_corners=False)
    clip.sub_(MEAN * 255).div_(DEVIATION * 255)
    if random.random() < 0.5:
        clip = clip.flip(3)
    clip = clip.permute(1, 0, 2, 3)
    clip = clip.contiguous() if places == list(range(len(frames))) else clip[:, places]
    if random.random() < erase:
        erase_box(clip, size)
    return clip


def erase_box(clip, size):
    """Fills a box, the same in every frame, with noise of its own for every value."""
    for _ in range(100):
        area, aspect = random.uniform(0.02, 1 / 3) * size * size, math.exp(random.uniform(-1, 1) * math.log(1 / 0.3))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w < size and 0 < h < size:
            y, x = random.randint(0, size - h), random.randint(0, size - w)
            clip[:, :, y:y + h, x:x + w].normal_()
            return
