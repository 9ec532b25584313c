"""What a defence does to an input before the network sees it, and how to look behind it.

Each transform is an `nn.Module` from `(batch, *input)` to `(batch, *input)`, on the device and in the precision of what
it is given. It goes in front of the network (`nn.Sequential(Staircase(255), network)`), between its layers, or into
`Classifier(preprocessing=...)`.

All of them are lines of `transforms.table.TRANSFORMS`. Those of `steps` and `jpeg` have no gradient, or one only where
nobody looks; those of `randomised` draw anew in every forward pass, from a stream of their own.

Two remedies take the mask off (Athalye, Carlini and Wagner 2018):

    bpda(transform)               the transform forwards, a differentiable stand-in backwards
    eot(classifier, samples)      logits and gradients averaged over the classifier's own randomness
"""

from clearance.model.transforms.bpda import Bpda, bpda, identity, stand_ins
from clearance.model.transforms.eot import AveragedClassifier, eot
from clearance.model.transforms.jpeg import Jpeg
from clearance.model.transforms.randomised import GaussianNoise, RandomCropResize, RandomDrop, RandomTransform
from clearance.model.transforms.steps import BitDepth, Ramp, Staircase

__all__ = [
    "AveragedClassifier",
    "BitDepth",
    "Bpda",
    "GaussianNoise",
    "Jpeg",
    "Ramp",
    "RandomCropResize",
    "RandomDrop",
    "RandomTransform",
    "Staircase",
    "bpda",
    "eot",
    "identity",
    "stand_ins",
]
