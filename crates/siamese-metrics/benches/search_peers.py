"""Times exact search of a gallery: ours beside faiss-cpu's IndexFlatL2, one probe and a batch, in turn.

    pip install numpy faiss-cpu
    python crates/siamese-metrics/benches/search_peers.py [--n 1000000] [--dim 128] [--k 10] [--rounds 15] [--clusters 10000]

It builds our side (the example `search_rate`) itself, unless `--program` names it. Rows are unit vectors of normal
numbers, which is the hardest case for a first pass in whole numbers; with `--clusters` they lie about so many centres, as
embeddings do. The rows found must be the same; a table of medians is printed.

With `--postgres postgres://…` (pip install psycopg[binary]; a database with pgvector, into which a table of the rows is
written and dropped again) approximate search by pgvector's HNSW index stands beside: how long the index takes to make,
then recall@k and probes a second by its `ef_search`, one connection, a probe at a time. With `--qdrant` (pip install
qdrant-edge-py: Qdrant's engine as a library) the same of its HNSW index, and how long it takes to open again.
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
    parser.add_argument("--qdrant", action="store_true")
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
    ours.process.stdin.close()
    wanted = index.search(probes, given.k)[1]
    del index
    if given.qdrant:
        by_qdrant(rows, probes, wanted)
    if given.postgres:
        by_pgvector(given.postgres, rows, probes, wanted)


def recalls(searching, probes, wanted):
    """A table of recall and rate of `searching(width)`, a function that gives the row numbers near a probe."""
    print("| ef | recall@k | probes a second |\n|---|---|---|")
    for width in (40, 100, 200, 400, 800):
        search, hits, times = searching(width), 0, []
        for probe, right in zip(probes, wanted):
            start = time.perf_counter()
            found = search(probe)
            times.append(time.perf_counter() - start)
            hits += len(set(found) & set(right.tolist()))
        print(f"| {width} | {hits / wanted.size:.3f} | {1 / statistics.median(times):.0f}/s |")


def by_qdrant(rows, probes, wanted):
    """Qdrant's HNSW index with pgvector's defaults (m 16, ef_construct 64), in one segment."""
    import qdrant_edge as edge

    config = edge.EdgeConfig(
        vectors=edge.EdgeVectorParams(rows.shape[1], edge.Distance.Euclid),
        hnsw_config=edge.HnswIndexConfig(16, 64, 10, max_indexing_threads=os.cpu_count()),
        optimizers=edge.EdgeOptimizersConfig(
            default_segment_number=1, max_segment_size=1 << 30, indexing_threshold=1000
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "shard")
        shard = edge.EdgeShard.create(place, config)
        start = time.perf_counter()
        for first in range(0, len(rows), 10_000):
            some = rows[first : first + 10_000].tolist()
            points = [edge.Point(first + i, row) for i, row in enumerate(some)]
            shard.update(edge.UpdateOperation.upsert_points(points))
        shard.flush()
        added = time.perf_counter() - start
        start = time.perf_counter()
        shard.optimize()
        made = time.perf_counter() - start
        shard.close()
        start = time.perf_counter()
        shard = edge.EdgeShard.load(place)
        opened = time.perf_counter() - start
        size = sum(os.stat(os.path.join(at, f)).st_blocks for at, _, files in os.walk(place) for f in files) >> 11
        print(f"\nqdrant-edge: {added:.0f} s to add, {made:.0f} s to make its index, {size} MiB, {opened:.2f} s to open\n")

        def searching(width):
            params = edge.SearchParams(hnsw_ef=width)

            def search(probe):
                request = edge.SearchRequest(edge.Query.Nearest(probe.tolist()), wanted.shape[1], params=params)
                return [point.id for point in shard.search(request)]

            return search

        recalls(searching, probes, wanted)
        shard.close()


def by_pgvector(address, rows, probes, wanted):
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

        nearest = f"SELECT id FROM search_peers ORDER BY row <-> %s::vector LIMIT {wanted.shape[1]}"

        def searching(width):
            base.execute(f"SET hnsw.ef_search = {width}")
            return lambda probe: [id for (id,) in base.execute(nearest, (text(probe),)).fetchall()]

        recalls(searching, probes, wanted)
        base.execute("DROP TABLE search_peers")


def machine():
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, faiss {faiss.__version__}"


main()
