"""Weights and clips by an integer hash, modulo 2^32: the formula that the reference fixtures were made with."""
import torch

MASK = 0xFFFFFFFF


def mix(x):
    """Scrambles 32 bits: a tensor i64, or an int. Products may wrap at 64 bits; their low 32 are right all the same."""
    x = x ^ (x >> 16)
    x = (x * 0x85EBCA6B) & MASK
    x = x ^ (x >> 13)
    x = (x * 0xC2B2AE35) & MASK
    return x ^ (x >> 16)


def bits(seed, name, count):
    """The first `count` hashes of a name, i64, each in [0, 2^32)."""
    key = 0x811C9DC5
    for byte in name.encode():
        key = ((key ^ byte) * 0x01000193) & MASK
    key = mix(key ^ mix(seed))
    return mix((key + torch.arange(count) * 0x9E3779B9) & MASK)


def parameter(seed, name, shape):
    """The f32 value of the parameter of this official name."""
    count = shape.numel()
    unit = (bits(seed, name, count) >> 8).double() * 2.0**-23 - 1
    last = name.rsplit(".", 1)[-1]
    if last == "mask_token":
        value = 0.02 * unit
    elif len(shape) == 1:
        value = 1 + 0.1 * unit if last == "weight" else 0.02 * unit
    else:
        value = (3 * shape[0] / count) ** 0.5 * unit
    return value.float().view(shape)


def video(seed, clips, frames, side):
    """`input.video` as bytes, u8 (B, T, S, S, 3)."""
    drawn = bits(seed, "input.video", clips * 3 * frames * side * side).view(clips, 3, frames, side, side)
    y, x, t, channel = torch.arange(side)[:, None], torch.arange(side), torch.arange(frames), torch.arange(3)
    gain = 1 + (((y >> 3) + (x >> 3) + t[:, None, None] + channel[:, None, None, None]) & 7)  # (3, T, S, S)
    return (((drawn >> 24) * gain) >> 3).to(torch.uint8).permute(0, 2, 3, 4, 1).contiguous()
