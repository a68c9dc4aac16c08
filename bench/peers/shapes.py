"""The shapes that both systems are measured at: ../shapes.json is the one list of them.

A layer y (m, n) = x (m, k) W (n, k)^T stands for three products C = A B, named by whether A and B lie transposed in
memory ("t") or not ("n"): forward "nt" (m, n, k), input gradient "nn" (m, k, n), weight gradient "tn" (n, k, m).
"""
import json

from rows import BENCH

SHAPES = json.loads((BENCH / "shapes.json").read_text())


def attention_shapes(device, quick):
    """Dicts of name, clips, heads, tokens, headWidth."""
    return SHAPES["attention"]["quick" if quick else device]


def gemm_shapes(device, quick):
    """Dicts of name, m, n, k, layout; the ceiling comes first on CUDA."""
    shapes = SHAPES["gemm"]
    if quick or device == "cpu":
        return shapes["quick" if quick else "cpu"]
    return shapes["ceiling"] + [product for layer in shapes["layers"] for product in products(layer)]


def products(layer):
    name, m, n, k = (layer[key] for key in ("name", "m", "n", "k"))
    yield dict(name=name, m=m, n=n, k=k, layout="nt")
    if layer.get("inputGradient", True):
        yield dict(name=f"{name}, input gradient", m=m, n=k, k=n, layout="nn")
    yield dict(name=f"{name}, weight gradient", m=n, n=k, k=m, layout="tn")
