"""The long run: `python -m tests.fuzz --cases 20000 --seed 1`; one case again: `--replay image:17`."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.engine import Report, bytes_of, run_apart, run_here, work
from tests.fuzz.targets import SHARES, TARGETS

PIECE = 500


def main() -> int:
    """Run; 1 where a case crashed."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--cases", type=int, default=20_000, help="of all targets together")
    options.add_argument("--seed", type=int, default=1, help="another number, other cases")
    options.add_argument("--target", choices=sorted(TARGETS), help="only this one")
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--replay", metavar="TARGET:SEED", help="run one case here and print what came of it")
    options.add_argument("--keep", type=Path, help="with --replay: write the bytes of the case to this file")
    options.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.worker:
        name, start, stop, folder = given.worker
        work(name, TARGETS[name], range(int(start), int(stop)), Path(folder))
        return 0
    if given.replay:
        name, _, seed = given.replay.partition(":")
        if given.keep:
            given.keep.write_bytes(bytes_of(name, TARGETS[name], int(seed)))
        report = run_here(name, TARGETS[name], [int(seed)])
        print(report)
        return bool(report.crashes)
    return long_run([given.target] if given.target else sorted(TARGETS), given.cases, given.seed, given.processes)


def long_run(names: list[str], cases: int, seed: int, processes: int) -> int:
    """All targets, by their shares of the cases."""
    whole = sum(SHARES[name] for name in names)
    pieces = []
    for name in names:
        first, count = seed * 1_000_000, -(-cases * SHARES[name] // whole)
        pieces += [(name, range(at, min(at + PIECE, first + count))) for at in range(first, first + count, PIECE)]
    reports = {name: Report(name) for name in names}
    with ThreadPoolExecutor(processes) as workers:
        for report in workers.map(lambda piece: run_apart(*piece), pieces):
            reports[report.target].add(report)
    print("\n".join(str(report) for report in reports.values()))
    return any(report.crashes for report in reports.values())


if __name__ == "__main__":
    sys.exit(main())
