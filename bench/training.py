"""Time training epochs: Lamina beside scikit-learn, PyTorch and JAX, in interleaved rounds.

    python bench/training.py --cases A,B --rounds 10 --json out.json

README.md in this folder says how to read the table.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import asdict, dataclass, replace
from typing import Any

import options
import report
import session
import start
from cases import CASES, Case
from crew import Member, play_rounds, say, try_each
from peak import Peak, peak, spread
from peers import SUBJECT, TRAINERS
from report import Result, digits

REFERENCE = "torch"  # whom the losses in order are compared with
STEPS_IN_ORDER, FEW_STEPS = 16, 2
WIDE = 1000


@dataclass
class Timed:
    """One case: every contestant's rounds, and what the machine could do meanwhile."""

    case: Case
    results: list[Result]
    cache_line_ns: list[float]
    peak: dict[str, Any]  # what peak.cpp printed, see there
    in_order: dict[str, float]  # loss by contestant, see losses_in_order

    @property
    def one_thread_peak(self) -> float | None:
        """GFLOP/s."""
        found: float | None = self.peak.get("fma_gflops", {}).get("1")
        return found

    def gflops(self, result: Result) -> float:
        """Useful arithmetic a second: that of the network alone, whatever else was done."""
        return self.case.flops_per_epoch / result.median * 1e-9

    def share(self, result: Result) -> float | None:
        """Of the FMA peak of one thread, whatever the number of threads."""
        return self.gflops(result) / self.one_thread_peak if self.one_thread_peak else None


def losses_in_order(members: list[Member], case: Case) -> dict[str, float]:
    """The loss of each contestant after one epoch of few steps without shuffling.

    From the same weights all must come to the same loss, else they do not train the same network.
    In float32 wide networks part after some steps, however right: they do fewer.
    """
    steps = FEW_STEPS if max(case.widths) > WIDE else STEPS_IN_ORDER
    rows = min(case.rows, steps * case.batch_size + case.batch_size // 2)  # a short batch, too
    once = [one for one in members if one.threads == members[0].threads]
    losses: dict[str, float] = {}

    def train(member: Member) -> None:
        member.ask("in_order")
        losses[member.name] = member.ask("loss")["loss"]

    try_each(start.prepare(once, replace(case, rows=rows)), train)
    return losses


def apart(losses: dict[str, float], name: str) -> float | None:
    """How far a contestant's loss in order is from PyTorch's, as a share of it."""
    if name not in losses or REFERENCE not in losses:
        return None
    return abs(losses[name] / losses[REFERENCE] - 1)


def _warm_up(members: list[Member], case: Case) -> dict[Member, float]:
    """One epoch of each, not timed, and the loss after it; those that cannot are left out."""
    losses: dict[Member, float] = {}

    def warm(member: Member) -> None:
        member.ask("train", seconds=0.0)
        losses[member] = member.ask("loss")["loss"]

    return {member: losses[member] for member in try_each(start.prepare(members, case), warm)}


def _time_case(members: list[Member], key: str, limits: Peak, args: Namespace) -> Timed:
    case = CASES[key].scaled(args.rows_scale)
    say(f"{case.title}: one epoch in order")
    in_order = losses_in_order(members, case)
    say(f"{case.title}: warming up")
    losses = _warm_up(members, case)
    limits.measure()
    cache_line: list[float] = []

    def before_round(number: int) -> None:
        say(f"{case.title}: round {number} of {args.rounds}")
        line = limits.cache_line_ns() if max(args.threads) > 1 else None
        if line is not None:
            cache_line.append(line)

    def epoch(member: Member) -> float:
        return float(member.ask("train", seconds=args.seconds)["seconds"])

    taken = play_rounds(list(losses), args.rounds, epoch, before_round)
    try_each(list(taken), lambda member: member.ask("drop"))
    results = [
        Result(one.name, one.version, one.threads, seconds, {"loss": losses[one]})
        for one, seconds in taken.items()
    ]
    return Timed(case, results, cache_line, dict(limits.limits), in_order)


def _row(timed: Timed, one: Result, subject: Result | None) -> list[str]:
    share = timed.share(one)
    distance = apart(timed.in_order, one.contestant)
    return [
        f"{one.contestant} {one.version}",
        str(one.threads),
        *[digits(seconds * 1e3) for seconds in (one.median, min(one.seconds), max(one.seconds))],
        "-" if share is None else f"{share:.1%}",
        digits(one.median / subject.median if subject else None),
        digits(one.extra["loss"]),
        "-" if distance is None else f"{distance:.0e}",
    ]


def _print(timed: Timed) -> None:
    case = timed.case
    print(f"\n{case.title}")
    print(
        f"  an epoch has {digits(case.flops_per_epoch * 1e-9)} GFLOP;"
        f" one thread's FMA peak is {digits(timed.one_thread_peak)} GFLOP/s"
    )
    if timed.cache_line_ns:
        print(f"  a cache line's round trip between two cores: {spread(timed.cache_line_ns)} ns")
    header = ["", "threads", "ms", "least", "most", "of peak", f"/ {SUBJECT}"]
    header += ["loss after 1 epoch", "in order, from torch"]
    subject = report.best(timed.results, SUBJECT)
    print(report.table(header, [_row(timed, one, subject) for one in timed.results]))
    for line in report.ratio_lines(report.ratios(timed.results)):
        print(line)
    sys.stdout.flush()


def _as_json(timed: Timed) -> dict[str, Any]:
    return {
        "case": timed.case.key,
        "title": timed.case.title,
        "rows": timed.case.rows,
        "flops_per_epoch": timed.case.flops_per_epoch,
        "peak": timed.peak,
        "cache_line_ns": timed.cache_line_ns,
        "loss_in_order": timed.in_order,
        "results": [
            {
                "contestant": one.contestant,
                "version": one.version,
                "threads": one.threads,
                "epoch_ms": [seconds * 1e3 for seconds in one.seconds],
                "median_ms": one.median * 1e3,
                "gflops": timed.gflops(one),
                "peak_share": timed.share(one),
                "loss_after_one_epoch": one.extra["loss"],
            }
            for one in timed.results
        ],
        "ratios": [asdict(ratio) for ratio in report.ratios(timed.results)],
    }


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    summary = (__doc__ or "").splitlines()[0]
    args = options.parser(summary, "sklearn,torch,jax", TRAINERS).parse_args(argv)
    args.threads = options.possible_threads(args.threads)
    with peak() as limits:

        def time_case(members: list[Member], key: str) -> list[dict[str, Any]]:
            timed = _time_case(members, key, limits, args)
            _print(timed)
            return [_as_json(timed)]

        return session.play(args, time_case)


if __name__ == "__main__":
    sys.exit(session.run(main))
