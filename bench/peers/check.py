"""Whether the peer computes what the reference does: outputs, losses and gradients of fixtures, and short trainings.

    python3 check.py --device cpu --fixtures ../shared/fixtures

Prints one row a comparison with its relative error, and ends with status 1 when one is above its tolerance. Needs the
fixtures (VIDEOMAE_SHARED or --fixtures names them) and the package safetensors.
"""
import json
import os
import sys
from pathlib import Path

import rows

rows.require_torch("conformance")
import torch  # noqa: E402

import formula  # noqa: E402
import model as videomae  # noqa: E402
from classifier import Classifier  # noqa: E402
from masks import token_indices  # noqa: E402
from step import TrainStep  # noqa: E402
from variants import Variant  # noqa: E402

MODELS = ["pretrain_p16_dual", "pretrain_p14_dual75", "pretrain_p16_encoder_only"]
CLASSIFIER = "finetune_p16"
TRAININGS = ["train10", "train10_clip"]
# Relative L2 errors of the output and of all gradients, absolute error of the loss. With bf16 weights gradients are
# rounded to bf16 as well, and lie two to three times as far off as autocast's.
TOLERANCE = {"f32": (1e-5, 1e-5, 1e-5), "autocast": (1e-2, 1.5e-2, 3e-3), "bf16 weights": (1e-2, 3e-2, 3e-3)}


def main():
    options = rows.parser(__doc__)
    shared = Path(os.environ.get("VIDEOMAE_SHARED") or rows.BENCH.parent.parent / "shared")
    options.add_argument("--fixtures", type=Path, default=shared / "fixtures")
    options.add_argument("--compile", default="none", help="none, default, blocks, ...: what is checked")
    args = options.parse_args()
    session = rows.Session("conformance", args)
    try:
        from safetensors.torch import load_file
    except ImportError:
        rows.refuse("conformance", args.device, "no package safetensors; pip install safetensors", args.out)
    if not args.fixtures.is_dir():
        reason = f"no fixtures in {args.fixtures}; name their folder with --fixtures"
        rows.refuse("conformance", args.device, reason, args.out)
    torch.set_float32_matmul_precision("highest")

    def fixture(name):
        path = args.fixtures / name
        return json.loads(Path(f"{path}.json").read_text()), load_file(f"{path}.safetensors")

    here = {name for name in (*MODELS, CLASSIFIER, *TRAININGS) if (args.fixtures / f"{name}.safetensors").exists()}
    if not here:
        rows.refuse("conformance", args.device, f"none of the fixtures lies in {args.fixtures}", args.out)
    verdicts = []
    for precision in TOLERANCE:
        for name in filter(here.__contains__, MODELS):
            verdicts += check_model(session, name, *fixture(name), Variant(args.compile, False, precision))
    if CLASSIFIER in here:
        verdicts.append(check_classifier(session, CLASSIFIER, *fixture(CLASSIFIER)))
    for name in filter(here.__contains__, TRAININGS):
        for graph in [False, True] if session.cuda else [False]:
            verdicts += check_training(session, name, *fixture(name), Variant(args.compile, graph, "f32"))
    sys.exit(0 if all(verdicts) else 1)


def config_of(c):
    decoder = {f"decoder_{key}": c[f"dec_{short}"] for key, short in
               (("width", "dim"), ("depth", "depth"), ("heads", "heads")) if f"dec_{short}" in c}
    return videomae.Config(width=c["dim"], depth=c["depth"], heads=c["heads"], **decoder, image=c["img"],
                           patch=c["patch"], frames=c["frames"], mlp_ratio=c.get("mlp_ratio", 4.0))


def problem(session, config, tensors):
    """A model with the formula's weights, and the fixture's clips and masks as inputs of a step."""
    model = videomae.PretrainModel(config_of(config))
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(formula.parameter(config["seed"], name, p.shape))
    video = formula.video(config["seed"], config["batch"], config["frames"], config["img"])
    encoder = tensors["input.encoder_mask"].bool()
    decoder = tensors["input.decoder_mask"].bool()
    decoded = token_indices(decoder)
    inputs = video, token_indices(encoder), decoded, encoder.gather(1, decoded).float()
    return model.to(session.device), [t.to(session.device) for t in inputs]


def check_model(session, name, description, tensors, variant):
    model, inputs = problem(session, description["config"], tensors)
    step = TrainStep(model, inputs, variant, lr=0.0, clip=None, weight_decay=0.0)
    step()
    with torch.no_grad(), step.precision():
        output = model(*inputs[:3])
    gradients = {key: p.grad for key, p in model.named_parameters()}
    expected = {key: tensors[f"grad.{key}"] for key in gradients}
    errors = (relative(output, tensors["output"]),
              relative(torch.cat([g.float().flatten() for g in gradients.values()]),
                       torch.cat([g.flatten() for g in expected.values()])),
              abs(float(step.loss) - description["loss"]))
    names = ("output", "all gradients", "loss")
    return [verdict(session, f"{name} {what}", variant, error, limit)
            for what, error, limit in zip(names, errors, TOLERANCE[variant.precision])]


def check_classifier(session, name, description, tensors):
    """Logits of the classifier, whose published names have no `encoder.` and call its norm `fc_norm`."""
    config = description["config"]
    model = Classifier(config_of(config), config["classes"])
    with torch.no_grad():
        for key, p in model.named_parameters():
            published = key.removeprefix("encoder.")
            published = f"fc_{published}" if published.startswith("norm.") else published
            p.copy_(formula.parameter(config["seed"], published, p.shape))
        video = formula.video(config["seed"], config["batch"], config["frames"], config["img"])
        logits = model.to(session.device)(video.to(session.device))
    return verdict(session, f"{name} logits", Variant("none", False, "f32"), relative(logits, tensors["logits"]), 1e-5)


def check_training(session, name, description, tensors, variant):
    """Ten steps: the loss of each within 1e-4, the parameters' whole change within 1e-3 of the reference's."""
    model, inputs = problem(session, description["config"], tensors)
    initial = {key: p.detach().clone() for key, p in model.named_parameters()}
    how = description["optimizer"]
    step = TrainStep(model, inputs, variant, lr=0.0, betas=tuple(how["betas"]), clip=how["clip_grad"])
    if variant.graph:
        step.capture()  # its warm-up steps would count, so everything is set back
        with torch.no_grad():
            for key, p in model.named_parameters():
                p.copy_(initial[key])
            for state in step.optimizer.state.values():
                for tensor in state.values():
                    tensor.zero_()
    worst = 0.0
    for lr, decay, expected in zip(description["lr"], description["weight_decay"], description["loss"]):
        set_rate(step.optimizer, lr)
        assert decay == how["weight_decay"], "the fixtures keep their weight decay"
        step()
        worst = max(worst, abs(float(step.loss) - expected))
    change = torch.cat([(p.detach() - initial[key]).flatten() for key, p in model.named_parameters()])
    final = torch.cat([(tensors[f"final.{key}"] - p.cpu()).flatten() for key, p in initial.items()])
    return [verdict(session, f"{name} losses", variant, worst, 1e-4),
            verdict(session, f"{name} change of parameters", variant, relative(change, final), 1e-3)]


def set_rate(optimizer, lr):
    """In device memory where the rate lies there, since a captured graph reads it there."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def relative(got, expected):
    got, expected = got.detach().double().cpu(), expected.double().cpu()
    return float((got - expected).norm() / expected.norm())


def verdict(session, name, variant, error, tolerance):
    within = error <= tolerance  # NaN is not
    session.verdict(name, "as expected" if within else "differs", f"error {error:.2e}, tolerance {tolerance:.0e}",
                    variant=variant.fields)
    return within


if __name__ == "__main__":
    main()
