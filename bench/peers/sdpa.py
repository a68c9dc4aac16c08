"""Fused attention by each of PyTorch's backends, and the choice of the fastest by measuring it.

q, k and v are strided views of one packed projection (B, N, 3, H, d), as the model makes them.
"""
import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from timing import input_sets, time_kernel


def plain(q, k, v):
    """softmax(q k^T / sqrt(d)) v, written out: the baseline where no fused kernel is good (bf16 on a CPU)."""
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v


def _fused(backend):
    def attend(q, k, v):
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v)
    return attend


def attentions(cuda, dtype):
    """The candidates by name; "default" leaves the choice to PyTorch."""
    candidates = {"default": F.scaled_dot_product_attention}
    if not cuda:
        return {**candidates, "plain": plain}
    names = ["CUDNN_ATTENTION", "FLASH_ATTENTION", "EFFICIENT_ATTENTION"]
    if dtype == torch.float32:
        names = names[2:]  # the others take half precision only
    return {**candidates, **{n.split("_")[0].lower(): _fused(getattr(SDPBackend, n)) for n in names}}


@dataclass(frozen=True)
class Shape:
    clips: int
    heads: int
    tokens: int
    head_width: int

    @property
    def product(self):
        """Multiply-adds of q k^T, equal to those of the product with v."""
        return self.clips * self.heads * self.tokens**2 * self.head_width


def time_attention(attend, shape, backward, cuda, dtype, seconds=0.5):
    """(Times, graph) of one forward pass, or of one forward and backward pass."""
    device = "cuda" if cuda else "cpu"
    packed = (shape.clips, shape.tokens, 3, shape.heads, shape.head_width)
    bytes_each = 4 * shape.clips * shape.tokens * shape.heads * shape.head_width * dtype.itemsize
    sets = [_inputs(packed, device, dtype, backward) for _ in range(input_sets(bytes_each, cuda))]
    calls = [functools.partial(_both if backward else _forward, attend, *inputs) for inputs in sets]
    with torch.set_grad_enabled(backward):
        return time_kernel(calls, cuda, seconds)


def _inputs(packed, device, dtype, backward):
    qkv = torch.randn(packed, device=device, dtype=dtype).permute(2, 0, 3, 1, 4)
    grad = torch.randn(*packed[:2], *packed[3:], device=device, dtype=dtype).transpose(1, 2)
    return *(t.detach().requires_grad_(backward) for t in qkv.unbind(0)), grad


def _forward(attend, q, k, v, _grad):
    return attend(q, k, v)


def _both(attend, q, k, v, grad):
    """Gradients of q, k and v apart: packing them into that of the projection is not counted."""
    return torch.autograd.grad(attend(q, k, v), (q, k, v), grad)


@functools.cache
def fastest_attention(shape, cuda, dtype, backward=True):
    """(name, attend) of the candidate that takes least time at this shape, forward or forward and backward."""
    best = None
    for name, attend in attentions(cuda, dtype).items():
        try:
            times, _ = time_attention(attend, shape, backward, cuda, dtype, seconds=0.2)
        except RuntimeError:
            continue  # not available at this shape or on this device
        # The fastest run, since the choice must not hang on what else the machine does.
        if best is None or times.min_ms < best[0]:
            best = (times.min_ms, name, attend)
    if best is None:
        raise RuntimeError(f"no attention runs at {shape}, {dtype}")
    return best[1:]
