"""Times of dense products C (m, n) = A (m, k) B (k, n) at the shapes of the model's layers.

    python3 gemm.py --device cuda --only ceiling            # 8192 cubed alone: what the matrix units reach
    python3 gemm.py --device cuda --out rows.jsonl --budget 200

bf16 on CUDA goes through both of PyTorch's libraries; f32 is tried with full precision and with TF32, as two dtypes.
On a CPU, f32 also goes through oneDNN, which PyTorch leaves for MKL by default.
"""
import functools

import rows

rows.require_torch("gemm")
import torch  # noqa: E402

from shapes import gemm_shapes  # noqa: E402
from timing import input_sets, time_kernel  # noqa: E402

DTYPES = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


def main():
    options = rows.parser(__doc__)
    options.add_argument("--dtypes", nargs="+", choices=DTYPES, help="default: bf16 on CUDA; f32 and bf16 on a CPU")
    options.add_argument("--only", help="shapes whose name holds this; 'ceiling' is the 8192 cubed product")
    args = options.parse_args()
    session = rows.Session("gemm", args)
    torch.manual_seed(0)
    shapes = gemm_shapes(args.device, args.quick)
    if args.only == "ceiling":
        shapes = shapes[:1]
    elif args.only:
        shapes = [shape for shape in shapes if args.only in shape["name"]]
    for dtype in args.dtypes or (["bf16"] if session.cuda else ["f32", "bf16"]):
        torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
        for shape in shapes:
            for backend in backends(session.cuda, dtype, shape["layout"]):
                if session.time_left():
                    measure(session, dtype, shape, backend)


def backends(cuda, dtype, layout):
    if cuda:
        return ["cublas", "cublaslt"]
    return ["default", "onednn"] if dtype == "f32" and layout == "nt" else ["default"]


def measure(session, dtype, shape, backend):
    if session.cuda:
        torch.backends.cuda.preferred_blas_library(backend)
    m, n, k, layout = (shape[key] for key in ("m", "n", "k", "layout"))
    identity = dict(dtype=dtype, **shape, variant=dict(backend=backend))
    bytes_each = (m * n + m * k + n * k) * DTYPES[dtype].itemsize
    try:
        sets = input_sets(bytes_each, session.cuda)
        calls = [product(m, n, k, layout, session.device, DTYPES[dtype], backend) for _ in range(sets)]
        with torch.no_grad():
            times, graph = time_kernel(calls, session.cuda, 0.05 if session.quick else 0.5)
    except RuntimeError as error:
        session.error(error, **identity)
        return
    if session.cuda:
        identity["variant"]["graph"] = graph
    session.row(times, **identity, gflopPerSecond=times.per_second(2 * m * n * k, 1e9))


def product(m, n, k, layout, device, dtype, backend):
    """One product on operands of its own: random ones, since zeros run faster than data."""
    a = torch.randn((k, m) if layout[0] == "t" else (m, k), device=device, dtype=dtype)
    b = torch.randn((n, k) if layout[1] == "t" else (k, n), device=device, dtype=dtype)
    if backend == "onednn":
        packed_a, packed_b = a.to_mkldnn(), b.to_mkldnn()
        return functools.partial(torch._C._nn.mkldnn_linear, packed_a, packed_b, None)
    c = torch.empty(m, n, device=device, dtype=dtype)
    return functools.partial(torch.mm, a.t() if layout[0] == "t" else a, b.t() if layout[1] == "t" else b, out=c)


if __name__ == "__main__":
    main()
