"""Every network that comes with the package, and every way to name another one, as tables."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.records import Choice

CNN = "clearance.zoo.networks:seven_layer_cnn"
"""The papers' network."""
BUNDLED = {
    "digits-standard": Choice(
        "a small CNN trained on 8 x 8 handwritten digits as usual", "clearance.zoo.networks:digits_cnn"
    ),
    "digits-robust": Choice(
        "the same network trained on adversarial examples (l_inf, radius 0.15)", "clearance.zoo.networks:digits_cnn"
    ),
    "mnist-mlp": Choice("one hidden layer of 1,024 softplus units, on MNIST", "clearance.zoo.networks:softplus_mlp"),
    "mnist-cnn": Choice("the seven-layer CNN on MNIST", CNN),
    "mnist-dd": Choice("the same by defensive distillation, temperature 100", CNN),
    "mnist-brelu": Choice("the same with bounded ReLU and Gaussian noise", CNN),
    "mnist-adversarial": Choice("the same trained on adversarial examples (l_inf, radius 0.3)", CNN),
    "mnist-interval": Choice(
        "a small CNN on MNIST, trained with interval bounds (l_inf, radius 0.1)", "clearance.zoo.networks:strided_cnn"
    ),
    "cifar10-cnn": Choice("the seven-layer CNN on CIFAR-10, of MNIST's width", CNN),
    "cifar10-dd": Choice("the same by defensive distillation, temperature 100", CNN),
    "cifar10-brelu": Choice("the same with bounded ReLU and Gaussian noise", CNN),
    "cifar10-tanh": Choice("the same with tanh and average pooling: twice differentiable", CNN),
}
"""Classifiers with weights: what the command line calls MODEL -> the architecture that the weights fill. The header of
each file says how it was trained and how good it is: `clearance inspect` shows it, `docs/training.md` lists it."""
DEMO = ("digits-standard", "digits-robust")
"""Those that the demo compares."""

ARCHITECTURES = {
    "softplus_mlp": Choice(
        "one hidden layer of softplus units (Hein and Andriushchenko 2017)", "clearance.zoo.networks:softplus_mlp"
    ),
    "seven_layer_cnn": Choice(
        "the seven-layer CNN of Carlini and Wagner (2017) for MNIST and CIFAR-10",
        "clearance.zoo.networks:seven_layer_cnn",
    ),
    "strided_cnn": Choice(
        "two convolutions with strides and a hidden layer, for certified training (Wong and Kolter 2018)",
        "clearance.zoo.networks:strided_cnn",
    ),
    "linear_classifier": Choice("softmax regression", "clearance.zoo.networks:linear_classifier"),
    "rbf_network": Choice(
        "Gaussian units around training inputs (Broomhead and Lowe 1988)", "clearance.zoo.radial_basis:rbf_network"
    ),
    "digits_cnn": Choice("a small CNN for 8 x 8 digits", "clearance.zoo.networks:digits_cnn"),
}
"""Networks without weights, as functions: name -> the function. What `clearance train` can train."""


@dataclass(frozen=True)
class SpecKind(Choice):
    """One way to name a model; `where` is its reader, from a `ModelRequest` to a `LoadedNetwork`.

    Attributes:
        prefix: What a spec of this kind begins with, such as `hf:`.
        endings: Or how the names of its files end.
        needs: What has to be installed: an extra of this package, or the package's own name.
        check: Function that raises where what a `ModelRequest` asks for is not there, as `package.module:name`; it
            brings in no torch.
    """

    prefix: str = ""
    endings: tuple[str, ...] = ()
    needs: str = ""
    check: str = ""

    def check_request(self, request: object) -> None:
        """Raise where what a `ModelRequest` asks for is not there."""
        Choice(self.meaning, self.check).load()(request)


SPECS = {
    "PACKAGE.MODULE:FACTORY": SpecKind(
        "a function that returns an nn.Module, found from the current folder or on Python's path; "
        "its arguments by --model-args, its values by --weights",
        "clearance.zoo.factories:read_factory",
        check="clearance.zoo.requests:require_factory",
    ),
    "FILE.py:FACTORY": SpecKind(
        "a function in a file, likewise; the file is run",
        "clearance.zoo.factories:read_factory",
        check="clearance.zoo.requests:require_factory",
    ),
    "FILE.pt2": SpecKind(
        "an exported program, as torch.export.save writes it",
        "clearance.zoo.exported:read_exported",
        check="clearance.zoo.requests:require_whole_file",
        endings=(".pt2",),
    ),
    "FILE.onnx": SpecKind(
        "an ONNX graph, converted by onnx2torch and compared with onnxruntime",
        "clearance.zoo.onnx_graphs:read_onnx",
        check="clearance.zoo.requests:require_graph",
        endings=(".onnx",),
        needs="clearance[onnx]",
    ),
    "hf:FOLDER": SpecKind(
        "an image classifier of Hugging Face transformers, with its normalisation and class names",
        "clearance.zoo.hugging_face:read_folder",
        check="clearance.zoo.requests:require_folder",
        prefix="hf:",
        needs="clearance[hf]",
    ),
    "torchvision:NAME": SpecKind(
        "an architecture of torchvision; its values by --weights, nothing is downloaded",
        "clearance.zoo.architectures:read_torchvision",
        check="clearance.zoo.requests:require_weights",
        prefix="torchvision:",
        needs="torchvision",
    ),
    "timm:NAME": SpecKind(
        "an architecture of timm; its values by --weights, nothing is downloaded",
        "clearance.zoo.architectures:read_timm",
        check="clearance.zoo.requests:require_weights",
        prefix="timm:",
        needs="timm",
    ),
    "FILE.safetensors": SpecKind(
        "a checkpoint of clearance train, whose header names its network",
        "clearance.zoo.checkpoints:read_checkpoint",
        check="clearance.zoo.requests:require_checkpoint",
        endings=(".safetensors",),
    ),
    "FILE.skops": SpecKind(
        "a linear classifier or an MLPClassifier of scikit-learn, alone or behind scalers in a Pipeline",
        "clearance.zoo.scikit_learn:read_skops",
        check="clearance.zoo.requests:require_whole_file",
        endings=(".skops",),
        needs="clearance[sklearn]",
    ),
    "FILE.pt": SpecKind(
        "TorchScript, or a whole pickled nn.Module (.pt, .pth, .th, .ts): only with --trust-pickle",
        "clearance.zoo.pickled:read_pickled",
        check="clearance.zoo.requests:require_pickled",
        endings=(".pt", ".pth", ".th", ".ts", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib"),
    ),
}
"""How a model that does not come with the package is named -> what that is."""


def specs_in_words() -> str:
    """What MODEL may be, in one sentence for `--help`.

    >>> specs_in_words()[:51]
    'MODEL is digits-standard, digits-robust, mnist-mlp,'
    """
    names = list(SPECS)
    return f"MODEL is {', '.join(BUNDLED)}, or {', '.join(names[:-1])} or {names[-1]} (`clearance docs models`)."
