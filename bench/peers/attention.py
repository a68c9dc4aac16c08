"""Times of attention alone, by every backend: forward, and forward + backward.

    python3 attention.py --device cuda --out rows.jsonl --budget 200

On CUDA calls are replayed from a graph over several sets of inputs. Operations are counted as 4 N^2 d a head forward
and 10 N^2 d backward, whatever a kernel recomputes.
"""
import rows

rows.require_torch("attention")
import torch  # noqa: E402

import sdpa  # noqa: E402
from shapes import attention_shapes  # noqa: E402

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def main():
    options = rows.parser(__doc__)
    options.add_argument("--dtypes", nargs="+", choices=DTYPES, help="default: bf16 on CUDA, both on a CPU")
    args = options.parse_args()
    session = rows.Session("attention", args)
    torch.manual_seed(0)
    dtypes = args.dtypes or (["bf16"] if session.cuda else ["f32", "bf16"])
    work = [(dtype, shape) for dtype in dtypes for shape in attention_shapes(args.device, args.quick)]
    for dtype, shape in work:
        for backend, attend in sdpa.attentions(session.cuda, DTYPES[dtype]).items():
            for backward in (False, True):
                if session.time_left():
                    measure(session, dtype, shape, backend, attend, backward)


def measure(session, dtype, shape, backend, attend, backward):
    identity = {"dtype": dtype, "pass": "forward+backward" if backward else "forward", **shape,
                "variant": {"backend": backend}}
    size = sdpa.Shape(shape["clips"], shape["heads"], shape["tokens"], shape["headWidth"])
    seconds = 0.05 if session.quick else 0.5
    try:
        times, graph = sdpa.time_attention(attend, size, backward, session.cuda, DTYPES[dtype], seconds)
    except RuntimeError as error:
        session.error(error, **identity)
        return
    if session.cuda:
        identity["variant"]["graph"] = graph
    operations = (14 if backward else 4) * size.product
    session.row(times, **identity, gflopPerSecond=times.per_second(operations, 1e9))


if __name__ == "__main__":
    main()
