"""The long run: `python -m tests.chaos --kills 30`; a failure again: `--seed`, with the number that was printed."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.chaos.kills import Ground, kill
from tests.chaos.zygote import Zygote


def main() -> int:
    """Run; 1 where something was not as it must be, and then the homes stay for a look."""
    options = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    options.add_argument("--kills", type=int, default=30)
    options.add_argument("--seed", type=int, default=os.getpid(), help="the moments follow from it")
    options.add_argument("--in-a-row", type=int, default=2, help="most kills of one home before a rerun may end")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="winnow-chaos-"))
    with Zygote() as zygote:
        report = kill(Ground(zygote, folder), given.seed, given.kills, (1, given.in_a_row), partial(print, flush=True))
    if report.wrong:
        print(f"the homes are in {folder}")
    else:
        shutil.rmtree(folder)
    print(report)
    return bool(report.wrong)


if __name__ == "__main__":
    sys.exit(main())
