"""Times the exact retrieval figures of N embeddings: ours, scikit-learn's and faiss-cpu's.

    pip install numpy scikit-learn faiss-cpu
    python crates/siamese-metrics/benches/retrieval_peers.py [--n 10000] [--rounds 5]

It builds our side (the example `retrieval_rate`) itself, unless `--program` names it.

All three run in turn, round after round, on the same embeddings and compute precision@k, recall@k
(k = 1, 5, 10), R-precision and MAP@R; ours makes its bootstrap intervals besides. The figures must
agree; a table of the medians and their ratios is printed.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import time

import faiss
import numpy as np
from sklearn.neighbors import NearestNeighbors

KS = (1, 5, 10)


def embeddings(n, dim, classes):
    """The numbers that the example draws: a 64-bit linear congruential generator."""
    count = classes * dim + n * dim
    # Powers of the multiplier by doubling: state_i = a_i · seed + c_i.
    factor = np.array([6364136223846793005], dtype=np.uint64)
    offset = np.array([1442695040888963407], dtype=np.uint64)
    with np.errstate(over="ignore"):
        while len(factor) < count:
            last_factor, last_offset = factor[-1], offset[-1]
            offset = np.concatenate([offset, factor * last_offset + offset])
            factor = np.concatenate([factor, factor * last_factor])
        states = factor[:count] + offset[:count]
    draws = (states >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    centres = draws[: classes * dim].reshape(classes, dim)
    labels = np.arange(n) % classes
    rows = np.float32(0.35) * centres[labels] + draws[classes * dim :].reshape(n, dim)
    return rows.astype(np.float32), labels


def figures(neighbours, labels):
    """`neighbours` holds the max(R, k) nearest of each row, itself left out."""
    hits = labels[neighbours] == labels[:, None]
    relevant = np.bincount(labels)[labels] - 1
    found = {}
    for k in KS:
        found[f"precision_at_{k}"] = hits[:, :k].mean()
        found[f"recall_at_{k}"] = hits[:, :k].any(1).mean()
    within = hits & (np.arange(hits.shape[1]) < relevant[:, None])
    precisions = np.cumsum(within, 1) / np.arange(1, hits.shape[1] + 1)
    found["r_precision"] = (within.sum(1) / relevant).mean()
    found["map_at_r"] = ((precisions * within).sum(1) / relevant).mean()
    return found


def drop_itself(neighbours):
    itself = np.arange(len(neighbours))[:, None]
    others = neighbours != itself
    # Where a row is not among its own neighbours (duplicates), the last one goes.
    others[others.all(1), -1] = False
    return neighbours[others].reshape(len(neighbours), -1)


def by_faiss(rows, labels, k):
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    return figures(drop_itself(index.search(rows, k + 1)[1]), labels)


def by_scikit_learn(rows, labels, k):
    search = NearestNeighbors(n_neighbors=k, algorithm="brute", n_jobs=-1).fit(rows)
    # Without an argument, scikit-learn leaves each row out of its own neighbours.
    return figures(search.kneighbors(return_distance=False), labels)


def by_us(program, n, dim, classes):
    output = subprocess.run(
        [program, str(n), str(dim), str(classes), "1"], capture_output=True, text=True, check=True
    ).stdout
    ours = output.split("Cosine:")[0]
    seconds = float(re.search(r"([\d.]+) s", ours).group(1))
    return seconds, {name: float(value) for name, value in re.findall(r"  (\w+) ([\d.]+)", ours)}


def build():
    """Builds our side; cargo says where it lies."""
    command = ["cargo", "build", "--release", "-p", "siamese-metrics", "--example", "retrieval_rate"]
    output = subprocess.run(
        command + ["--message-format", "json"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    messages = map(json.loads, output.splitlines())
    return [m["executable"] for m in messages if m.get("executable")][-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program")
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    program = given.program or build()
    rows, labels = embeddings(given.n, given.dim, given.classes)
    k = max(max(KS), int(np.bincount(labels).max()) - 1)
    times = {"siamese-metrics": [], "faiss-cpu": [], "scikit-learn": []}
    for _ in range(given.rounds):
        seconds, expected = by_us(program, given.n, given.dim, given.classes)
        times["siamese-metrics"].append(seconds)
        for name, peer in (("faiss-cpu", by_faiss), ("scikit-learn", by_scikit_learn)):
            start = time.perf_counter()
            found = peer(rows, labels, k)
            times[name].append(time.perf_counter() - start)
            for figure, value in found.items():
                if abs(value - expected[figure]) > 2e-6:
                    print(f"{name} differs: {figure} {value:.6f}, ours {expected[figure]:.6f}")
    ours = statistics.median(times["siamese-metrics"])
    print(f"{given.n} × {given.dim}, Euclidean, {given.rounds} rounds in turn; {machine()}\n")
    print("| | median | fastest | beside ours |\n|---|---|---|---|")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| {name} | {median:.2f} s | {min(seconds):.2f} s | {median / ours:.2f} × |")


def machine():
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read()) if os.path.exists("/proc/cpuinfo") else None
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {cpu.group(1) if cpu else 'unknown CPU'}, load {load:.1f}"


main()
