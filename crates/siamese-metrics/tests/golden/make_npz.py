"""Makes the small .npz files that the reader's tests read: `python make_npz.py` in this folder."""

import numpy as np

rows = np.arange(12).reshape(4, 3) / 4 - 1

np.savez("plain.npz", embeddings=rows.astype("<f4"), labels=np.array([3, 1, 2, 3], dtype="<i8"))
np.savez_compressed(
    "odd.npz",
    embeddings=np.asfortranarray(rows.astype(">f8")),
    labels=np.array([3, 1, 2, 255], dtype="u1"),
    gallery_embeddings=rows[:2].astype("<f8"),
    gallery_labels=np.array([7, 4000000000], dtype=">u4"),
)
