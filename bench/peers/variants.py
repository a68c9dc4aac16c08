"""The ways to run a step that are tried; the best of them is the opponent.

compile: none; "default" or "max-autotune" (the whole loss as one compiled graph), "blocks" (every block and the parts
between them compiled apart: seconds instead of minutes for deep models), "reduce-overhead" (PyTorch's own graphs).
graph: the whole step (forward, backward, clipping, AdamW) is captured once and replayed as one CUDA graph.
precision: "f32"; "tf32" (f32 whose products use TF32); "autocast" (f32 weights, cast to bf16 in each step);
"bf16 weights" (bf16 weights, gradients and LayerNorm parameters, f32 masters that AdamW updates; sums and statistics
stay f32 inside the kernels). Both bf16 forms keep the residual stream in bf16.
recompute: activations of blocks are made again in the backward pass; slower, for batches that do not fit otherwise.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    compile: str = "none"
    graph: bool = False
    precision: str = "autocast"
    recompute: bool = False

    @property
    def fields(self):
        return dict(compile=self.compile, graph=self.graph, precision=self.precision, recompute=self.recompute)


COMPILE_MODES = {"default": None, "max-autotune": "max-autotune-no-cudagraphs", "reduce-overhead": "reduce-overhead"}


def variants(cuda, dtype, depth):
    """Most promising first. Deep models begin with what compiles in seconds."""
    if dtype != "bf16":
        forms = [Variant("default", cuda, dtype), Variant("none", cuda, dtype)]
        return forms if cuda else forms + [Variant("blocks", False, dtype)]
    if not cuda:
        return [Variant(c, False, p) for p in ("autocast", "bf16 weights") for c in ("default", "none")]
    fast = "blocks" if depth > 24 else "default"
    slow = "default" if depth > 24 else "blocks"
    return [
        Variant(fast, True, "bf16 weights"), Variant(fast, True, "autocast"),
        Variant("none", True, "bf16 weights"), Variant("none", True, "autocast"),
        Variant(slow, True, "bf16 weights"), Variant(fast, False, "autocast"),
        Variant("max-autotune", True, "bf16 weights"), Variant("max-autotune", True, "autocast"),
        Variant("reduce-overhead", False, "autocast"), Variant("none", False, "autocast"),
    ]
