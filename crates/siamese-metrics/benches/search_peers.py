"""Times exact search of a gallery: ours beside faiss-cpu's IndexFlatL2, one probe and a batch, in turn.

    pip install numpy faiss-cpu
    python crates/siamese-metrics/benches/search_peers.py [--n 1000000] [--dim 128] [--k 10] [--rounds 15] [--clusters 10000]

It builds our side (the example `search_rate`) itself, unless `--program` names it. Rows are unit vectors of normal
numbers, which is the hardest case for a first pass in whole numbers; with `--clusters` they lie about so many centres, as
embeddings do. The rows found must be the same; a table of medians is printed.

With `--postgres postgres://…` (pip install psycopg[binary]; a database with pgvector, into which a table of the rows is
written and dropped again) approximate search by pgvector's HNSW index stands beside: how long the index takes to make,
then recall@k and probes a second by its `ef_search`, one connection, a probe at a time.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import faiss
import numpy as np

PROBES = 1000


def unit_rows(n, dim, seed, clusters):
    draw = np.random.default_rng(seed)
    rows = draw.standard_normal((n, dim), dtype=np.float32)
    if clusters:
        centres = np.random.default_rng(0).standard_normal((clusters, dim), dtype=np.float32)
        rows = centres[draw.integers(clusters, size=n)] + np.float32(0.5) * rows
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def build():
    """Builds our side; cargo says where it lies."""
    command = ["cargo", "build", "--release", "-p", "siamese-metrics", "--example", "search_rate"]
    output = subprocess.run(
        command + ["--message-format", "json"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    messages = map(json.loads, output.splitlines())
    return [m["executable"] for m in messages if m.get("executable")][-1]


def peak_mib(pid):
    lines = open(f"/proc/{pid}/status").read().splitlines()
    return int([line for line in lines if line.startswith("VmRSS")][0].split()[1]) // 1024


class Ours:
    def __init__(self, program, files, dim, k):
        words = [program, *files, str(dim), str(k)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = float(self.process.stdout.readline().split()[1])

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def search(self, first, count):
        return float(self.ask(f"{first} {count}"))

    def found(self, first):
        return [int(row) for row in self.ask(f"{first} ?").split()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program")
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clusters", type=int, default=0)
    parser.add_argument("--postgres")
    given = parser.parse_args()
    program = given.program or build()
    rows = unit_rows(given.n, given.dim, 1, given.clusters)
    probes = unit_rows(PROBES, given.dim, 2, given.clusters)
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("rows", "probes")]
        rows.tofile(files[0])
        probes.tofile(files[1])
        ours = Ours(program, files, given.dim, given.k)
    start = time.perf_counter()
    index = faiss.IndexFlatL2(given.dim)
    index.add(rows)
    added = time.perf_counter() - start
    for first in range(5):
        theirs = index.search(probes[first : first + 1], given.k)[1][0].tolist()
        if theirs != ours.found(first):
            print(f"probe {first}: faiss finds {theirs}, we find {ours.found(first)}")
    lie = f"about {given.clusters} centres" if given.clusters else "anywhere"
    print(f"{given.n} × {given.dim} {lie}, k = {given.k}, {given.rounds} rounds in turn; {machine()}")
    print(f"ready: ours {ours.ready:.2f} s, {peak_mib(ours.process.pid)} MiB; faiss {added:.2f} s\n")
    print("| probes at once | ours | faiss IndexFlatL2 | ours ÷ faiss |\n|---|---|---|---|")
    for count in (1, 10, 100):
        times = ([], [])
        for round_ in range(given.rounds):
            first = round_ * count % (PROBES - count)
            times[0].append(ours.search(first, count))
            start = time.perf_counter()
            index.search(probes[first : first + count], given.k)
            times[1].append(time.perf_counter() - start)
        rates = [count / statistics.median(side) for side in times]
        print(f"| {count} | {rates[0]:.1f}/s | {rates[1]:.1f}/s | **{rates[0] / rates[1]:.2f}×** |")
    if given.postgres:
        ours.process.stdin.close()
        wanted = index.search(probes, given.k)[1]
        approximate(given.postgres, rows, probes, wanted)


def approximate(address, rows, probes, wanted):
    """pgvector's HNSW index, by its defaults (m 16, ef_construction 64)."""
    import psycopg

    def text(row):
        return "[" + ",".join(map(repr, row.tolist())) + "]"

    with psycopg.connect(address, autocommit=True) as base:
        base.execute("CREATE EXTENSION IF NOT EXISTS vector")
        base.execute("DROP TABLE IF EXISTS search_peers")
        base.execute(f"CREATE UNLOGGED TABLE search_peers (id int, row vector({rows.shape[1]}))")
        with base.cursor().copy("COPY search_peers FROM STDIN") as copy:
            for id, row in enumerate(rows):
                copy.write_row((id, text(row)))
        start = time.perf_counter()
        base.execute("SET maintenance_work_mem = '2GB'")
        base.execute(f"SET max_parallel_maintenance_workers = {os.cpu_count()}")
        base.execute("CREATE INDEX ON search_peers USING hnsw (row vector_l2_ops)")
        made = time.perf_counter() - start
        (size,) = base.execute("SELECT pg_indexes_size('search_peers') >> 20").fetchone()
        print(f"\npgvector's HNSW: {made:.0f} s to make, {size} MiB\n")
        print("| ef_search | recall@k | probes a second |\n|---|---|---|")
        for wide in (40, 100, 200, 400, 800):
            base.execute(f"SET hnsw.ef_search = {wide}")
            hits, times, k = 0, [], wanted.shape[1]
            for probe, right in zip(probes, wanted):
                start = time.perf_counter()
                found = base.execute(
                    f"SELECT id FROM search_peers ORDER BY row <-> %s::vector LIMIT {k}", (text(probe),)
                ).fetchall()
                times.append(time.perf_counter() - start)
                hits += len({id for (id,) in found} & set(right.tolist()))
            print(f"| {wide} | {hits / wanted.size:.3f} | {1 / statistics.median(times):.0f}/s |")
        base.execute("DROP TABLE search_peers")


def machine():
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, faiss {faiss.__version__}"


main()
