"""Every experiment and every scale in one table; nothing of what they need is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.records import Choice, Word


class Scale(Word):
    """How large an experiment is."""

    TINY = "tiny", "seconds: a few inputs and few samples, which shows that it runs and hardly more"
    SMALL = "small", "at most 30 minutes on two cores"
    PAPER = "paper", "the paper's own numbers of inputs and samples: days on two cores"


@dataclass(frozen=True)
class Experiment(Choice):
    """One experiment; `where` is a function from a `Session` to a `Reproduction`.

    Attributes:
        paper: What it repeats: author, year, and the tables and figures.
        data: Names of the data sets that it reads, as `Session.data` takes them.
    """

    paper: str = ""
    data: tuple[str, ...] = ()


EXPERIMENTS: dict[str, Experiment] = {
    "weng-2018": Experiment(
        "CLEVER against two attacks and SLOPE on four networks for MNIST and four for CIFAR-10, two of each defended",
        "clearance.experiments.weng2018.small_images:weng_2018",
        "Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, tables 2, 3 and 5, figures 2, 3, 4 and 9",
        ("mnist", "cifar10"),
    ),
    "weng-2018-imagenet": Experiment(
        "CLEVER against two attacks on MobileNetV2 and those of the paper's networks whose values are there",
        "clearance.experiments.weng2018.imagenet:weng_2018_imagenet",
        "Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, table 4 and MobileNet in table 3, figures 5, 6 and 7",
        ("imagenet-sample",),
    ),
    "goodfellow-2018": Experiment(
        "figure 1, the counterexample to CLEVER (staircase, ramps, saturated sigmoid), and what the audit answers",
        "clearance.experiments.goodfellow2018:goodfellow2018",
        paper="Goodfellow 2018, figure 1 and sections 3 to 5",
        data=("digits", "mnist"),
    ),
    "toy-model": Experiment(
        "accuracy against robust accuracy in a toy model, theory beside measurement",
        "clearance.experiments.toy_model:toy_model",
        paper="Lecture 10 (2019), section 2.2, after Tsipras et al. 2019",
    ),
    "weng-2018b": Experiment(
        "first against second order on a 7-layer tanh CNN, with the attack, profile and proof of each input",
        "clearance.experiments.weng2018b:weng2018b",
        paper="Weng et al. 2018b, tables 1 to 3",
        data=("cifar10",),
    ),
    "weng-2018b-bpda": Experiment(
        "CLEVER with BPDA behind bit-depth reduction and JPEG, on MobileNetV2 and a sample of ImageNet",
        "clearance.experiments.weng2018b_bpda:weng2018b_bpda",
        paper="Weng et al. 2018b, table 4",
        data=("imagenet-sample",),
    ),
    "linear-explanation": Experiment(
        "growth with dimension, the fast gradient sign method, an RBF network's resistance, transfer",
        "clearance.experiments.linear_explanation:linear_explanation",
        paper="Meyer 2017, after Goodfellow, Shlens and Szegedy 2015",
        data=("mnist",),
    ),
    "bpda-eot": Experiment(
        "robust accuracy of shattered and random defences before and after BPDA and EOT, with the audit's answer",
        "clearance.experiments.bpda_eot:bpda_eot",
        paper="Lecture 10 (2019), section 1, after Athalye, Carlini and Wagner 2018",
        data=("mnist",),
    ),
    "detector": Experiment(
        "detectors that catch ordinary PGD and are passed by high-confidence adversarial examples",
        "clearance.experiments.detector:detector",
        paper="Lecture 10 (2019), section 1, after Carlini and Wagner 2017",
        data=("mnist",),
    ),
    "adversarial-training": Experiment(
        "what adversarial and certified training do to the estimate, the attack's distance and the proof",
        "clearance.experiments.adversarial_training:adversarial_training",
        paper="Lecture 10 (2019), section 2, after Madry et al. 2018",
        data=("digits", "mnist"),
    ),
    "training-cost": Experiment(
        "passes, time and robust accuracy of standard, adversarial, free and fast training",
        "clearance.experiments.training_cost:training_cost",
        paper="Lecture 10 (2019), section 2.1, after Shafahi et al. 2019 and Wong, Rice and Kolter 2020",
        data=("mnist",),
    ),
    "extra-data": Experiment(
        "what robust pretraining and inputs with guessed labels add to robust accuracy",
        "clearance.experiments.extra_data:extra_data",
        paper="Lecture 10 (2019), section 2.3, after Hendrycks et al. 2019 and Carmon et al. 2019",
        data=("mnist",),
    ),
}
"""Name on the command line -> the experiment."""
