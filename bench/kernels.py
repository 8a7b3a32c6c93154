"""Time every kernel of the core alone: the C++ program kernels.cpp, with this machine's limits.

    python -m bench kernels                    # about ten seconds
    python -m bench kernels --only adam

The program is built with -DLAMINA_BUILD_BENCH=ON (README.md in this folder).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import report
import session
from crew import say
from peak import built, peak
from report import digits

RESULTS = Path(__file__).resolve().parent / "results" / "kernels.json"
CACHE = "384 KiB"  # of bench_peak's sets: the arrays of kernels.cpp are of about that size
HEADER = ["kernel", "dtype", "ns an element", "GB/s", "GFLOP/s", "share"]


def limits() -> dict[str, Any]:
    """One thread's FMA peak and bandwidth in the second-level cache; empty without a program."""
    with peak() as program:
        found = program.all()
    if not found:
        return {}
    return {
        "fma_gflops": found["fma_gflops"]["1"],
        "cache_gb_per_s": found["triad_gb_per_s"][CACHE]["1"],
    }


def arguments(known: dict[str, Any], only: str) -> list[str]:
    """Of the program."""
    found = ["--json"]
    if known:
        found += ["--peak", str(known["fma_gflops"]), "--bandwidth", str(known["cache_gb_per_s"])]
    return [*found, *(["--only", only] if only else [])]


def rows(kernels: list[dict[str, Any]]) -> list[list[str]]:
    """A line a kernel."""
    return [
        [
            f"{one['group']}: {one['name']}",
            one["dtype"],
            digits(one["ns_per_element"]),
            digits(one["gb_per_s"]),
            digits(one["gflops"]),
            "-" if one["share"] is None else f"{one['share']:.0%}",
        ]
        for one in kernels
    ]


def page(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "# Every kernel alone",
        "",
        f"`python -m bench kernels` on {report.machine_line(found['machine'])}, commit"
        f" {found['machine']['commit']}; one thread, arrays in the second-level cache. Share: of"
        " the FMA peak for products, else of the triad bandwidth in that cache. ../README.md says"
        " more.",
        "",
    ]
    if found["limits"]:
        known = found["limits"]
        lines += [f"{known['fma_gflops']} GFLOP/s; {known['cache_gb_per_s']} GB/s.", ""]
    return "\n".join([*lines, report.markdown_table(HEADER, rows(found["kernels"])), ""])


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    summary = (__doc__ or "").splitlines()[0]
    made = argparse.ArgumentParser(prog="bench kernels", description=summary)
    made.add_argument("--only", default="", metavar="TEXT", help="names that hold this; no file")
    made.add_argument("--json", type=Path, default=RESULTS, help="default: %(default)s")
    args = made.parse_args(argv)
    program = built("bench_kernels")
    if program is None:
        say(
            "bench kernels: there is no bench_kernels in build/release or $LAMINA_BENCH_DIR:\n"
            "  cmake --preset release && cmake --build --preset release --target bench_kernels"
        )
        return 2
    known = limits()
    command = [str(program), *arguments(known, args.only)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = {"machine": report.machine(), "limits": known, "kernels": json.loads(done.stdout)}
    print(report.table(HEADER, rows(found["kernels"])))
    if not args.only:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(found, indent=1) + "\n")
        args.json.with_suffix(".md").write_text(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(session.run(main))
