"""Times of what is bound by memory: a copy (the ceiling), LayerNorm, AdamW.

    python3 bandwidth.py --device cuda --only copy
    python3 bandwidth.py --device cuda --out rows.jsonl --budget 60

Bytes are those that must move: each operand read once, each result written once.
"""
import functools

import rows

rows.require_torch("bandwidth")
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from timing import input_sets, time_kernel  # noqa: E402

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def main():
    options = rows.parser(__doc__)
    options.add_argument("--only", choices=["copy", "layerNorm", "adamw"])
    args = options.parse_args()
    session = rows.Session("bandwidth", args)
    torch.manual_seed(0)
    for op, forms in work(session).items():
        for dtype, direction, shape in forms:
            if args.only in (None, op) and session.time_left():
                measure(session, op, dtype, direction, shape)


def work(session):
    """The forms of every op: (dtype, pass, shape). LayerNorm at the width of each encoder and 32 clips of tokens."""
    if session.quick:
        copies, widths, count = [[1 << 16]], [[32, 48]], [10_007]
    elif session.cuda:
        copies, count = [[1 << 30]], [94_212_864]
        widths = [[5120, 768], [5120, 1024], [5120, 1280], [6656, 1408], [30208, 384], [30208, 512]]
    else:
        copies, widths, count = [[1 << 27]], [[320, 768], [1888, 384]], [24_031_104]
    norm_dtype = "bf16" if session.cuda else "f32"
    norms = [(norm_dtype, direction, s) for s in widths for direction in ("forward", "forward+backward")]
    return {"copy": [("f32", "forward", s) for s in copies], "layerNorm": norms, "adamw": [("f32", "forward", count)]}


def measure(session, op, dtype, direction, shape):
    identity = {"op": op, "dtype": dtype, "pass": direction, "shape": shape}
    make = {"copy": copy, "layerNorm": layer_norm, "adamw": adamw}[op]
    try:
        calls, moved = make(session, DTYPES[dtype], direction, shape)
        times, graph = time_kernel(calls, session.cuda, 0.05 if session.quick else 0.5)
    except RuntimeError as error:
        session.error(error, **identity)
        return
    variant = dict(graph=graph) if session.cuda else {}
    session.row(times, **identity, variant=variant, gbPerSecond=times.per_second(moved, 1e9))


def copy(session, dtype, _direction, shape):
    source = torch.randn(shape, device=session.device, dtype=dtype)
    target = torch.empty_like(source)
    return [functools.partial(target.copy_, source)], 2 * source.nbytes


def layer_norm(session, dtype, direction, shape):
    """Weights in f32 as the product keeps them would cost a cast a call, so all operands are of one dtype."""
    def one():
        x, grad = (torch.randn(shape, device=session.device, dtype=dtype) for _ in range(2))
        weight, bias = (torch.randn(shape[-1:], device=session.device, dtype=dtype) for _ in range(2))
        operands = [t.requires_grad_(direction != "forward") for t in (x, weight, bias)]
        if direction == "forward":
            return functools.partial(F.layer_norm, operands[0], shape[-1:], *operands[1:], 1e-6)
        return lambda: torch.autograd.grad(F.layer_norm(operands[0], shape[-1:], *operands[1:], 1e-6), operands, grad)
    tensor = shape[0] * shape[1] * dtype.itemsize
    moved = 2 * tensor if direction == "forward" else 5 * tensor  # x, y; and x, dy, dx
    return [one() for _ in range(input_sets(2 * tensor, session.cuda))], moved


def adamw(session, dtype, _direction, shape):
    """One fused update of so many parameters: p, m, v read and written, the gradient read."""
    parameter = torch.randn(shape, device=session.device, dtype=dtype, requires_grad=True)
    parameter.grad = torch.randn_like(parameter)
    optimizer = torch.optim.AdamW([parameter], lr=1e-4, betas=(0.9, 0.95), weight_decay=0.05, fused=True,
                                  capturable=session.cuda)
    optimizer.step()  # makes the state, which must not happen in a capture
    return [optimizer.step], 7 * parameter.nbytes


if __name__ == "__main__":
    main()
