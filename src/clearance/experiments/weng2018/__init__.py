"""The experiments of Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, section 5 and appendix E.

scores.py        the measurements of one network: attacks, CLEVER of each class, SLOPE, brackets
groups.py        their averages by network, target and norm
tables.py        tables 2, 3a, 3b, 4 and 5, with the paper's numbers
figures.py       figures 2, 3, 4, 5, 6, 7 and 9
findings.py      what the paper claims, and whether it was seen
small_images.py  the experiment on MNIST and CIFAR-10; imagenet.py: on ImageNet
"""
