"""Damaged and foreign files of every kind: the same numbers, or one sentence.

Every input begins as a whole small file, whose numbers are known; it is then damaged at
random and opened as a user would. What comes of it:

refused
    One sentence (a `RedundancyError`).
equal
    The numbers of the untouched file: the damage touched nothing that says a number.
undetectable
    Other numbers, where no reader could know better, since the file has no checksum and
    what it now holds is as good as before. Only for formats of others: `Kind` says of
    each whether its bytes are free (events of N-MNIST, AEDAT, text, NumPy's .npy, HDF5,
    JPEG, CIFAR, legacy pickles of PyTorch), or only its values, when they are saved anew
    in a whole file (arrays in .npz, weights of a foreign state_dict: zip archives have
    checksums of their bytes). A file of another kind in its place never is.
WRONG
    Other numbers without a word; also anything that a hostile file yields.
exception, hang, memory
    Anything else that was raised or warned about in several lines, over 20 seconds, over
    2 GB.

Checkpoints of our version 1 have no checksum over their weights, and never can have one:
their weights are damaged byte by byte (the archive's checksums tell) and in names, types
and shapes, but are not saved anew with other values.
"""
