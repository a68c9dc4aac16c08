"""Times of the classifier's forward pass in tuned PyTorch: all tokens of a clip, mean of the tokens, one linear layer.

    python3 classifier.py --device cpu --models vit-base --clips 1

Inference: no gradients; the compiled form freezes the weights, which lets a CPU pack them once.
"""
import rows

rows.require_torch("classifier")
import torch  # noqa: E402
import torch._inductor.config  # noqa: E402
from torch import nn  # noqa: E402

import model as videomae  # noqa: E402
from pretrain_step import release  # noqa: E402
from sdpa import Shape, fastest_attention  # noqa: E402
from timing import capture, time_calls  # noqa: E402


class Classifier(nn.Module):
    """The encoder over all tokens with a head of `classes`; its final norm follows the mean."""

    def __init__(self, config, classes=400):
        super().__init__()
        self.encoder = videomae.Encoder(config)
        self.head = nn.Linear(config.width, classes)

    def forward(self, video):  # u8 (B, T, S, S, 3) -> (B, classes)
        every = torch.arange(self.encoder.position.shape[0], device=video.device).expand(video.shape[0], -1)
        return self.head(self.encoder.norm(self.encoder.features(video, every).mean(1)))


def main():
    options = rows.parser(__doc__)
    options.add_argument("--models", nargs="+", choices=videomae.SIZES)
    options.add_argument("--clips", nargs="+", type=int)
    options.add_argument("--dtypes", nargs="+", choices=["f32", "bf16"])
    options.add_argument("--compile", nargs="+", choices=["default", "none"])
    args = options.parse_args()
    session = rows.Session("classifier", args)
    torch.set_float32_matmul_precision("highest")
    models = args.models or (["vit-tiny"] if args.quick else ["vit-base"])
    dtypes = args.dtypes or (["bf16"] if session.cuda else ["f32", "bf16"])
    kinds = args.compile or (["none"] if args.quick else ["default", "none"])
    work = [(dtype, name, clips, how, precision) for dtype in dtypes for name in models
            for clips in args.clips or [8 if session.cuda else 1] for how in kinds
            for precision in (["autocast", "bf16 weights"] if dtype == "bf16" else ["f32"])]
    for dtype, name, clips, how, precision in work:
        if not session.time_left():
            return
        identity = {"dtype": dtype, "pass": "forward", "model": name, "clips": clips}
        variant = dict(compile=how, graph=session.cuda, precision=precision)
        try:
            with torch.no_grad():
                measure(session, identity, variant)
        except Exception as error:  # a compiler can fail in any way; the next variant may work
            session.error(f"{type(error).__name__}: {error}", **identity, variant=variant)
        finally:
            release(session.cuda)


def measure(session, identity, variant):
    torch.manual_seed(0)
    config, clips = videomae.SIZES[identity["model"]], identity["clips"]
    with torch.device(session.device):
        model = Classifier(config).eval()
        video = torch.randint(0, 256, (clips, config.frames, config.image, config.image, 3), dtype=torch.uint8)
    number = torch.bfloat16 if identity["dtype"] == "bf16" else torch.float32
    shape = Shape(clips, config.heads, config.tokens, config.width // config.heads)
    name, attend = fastest_attention(shape, session.cuda, number, backward=False)
    for block in model.encoder.blocks:
        block.attn.attend = attend
    if variant["precision"] == "bf16 weights":
        for p in model.parameters():
            p.data = p.data.bfloat16()
    forward = model
    if variant["compile"] == "default":
        torch._inductor.config.freezing = True
        forward = torch.compile(model, dynamic=False)

    casts = dict(dtype=torch.bfloat16, enabled=variant["precision"] == "autocast", cache_enabled=False)

    def call():
        with torch.autocast(session.device.type, **casts):
            return forward(video)

    if session.cuda:
        graph, _ = capture(call, call, warmups=3)
        timed = graph.replay
    else:
        timed = call
    times = time_calls(timed, session.cuda, 0.1 if session.quick else 3.0, most=100)
    session.row(times, **identity, clipsPerSecond=times.per_second(clips, 1), variant={**variant, "attention": name})


if __name__ == "__main__":
    main()
