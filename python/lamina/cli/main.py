"""Parses the command line, runs the command, and turns every error into one sentence."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["main"]

_ERROR = 2
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(_ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``lamina``. Default: the process' own arguments.

    Returns
    -------
    int
        0 when all went well, 2 after an error (one sentence on stderr, never a traceback), 130
        after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    if "run" not in options:
        _parser().print_help()
        return 0
    try:
        options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain("interrupted; nothing was written", _INTERRUPTED)
    except BrokenPipeError:  # `lamina predict … | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}", _ERROR)
    except MemoryError:
        return _complain("there is not enough memory for this", _ERROR)
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        return _complain(str(error), _ERROR)
    return 0


def _complain(sentence: str, code: int) -> int:
    print(f"lamina: {' '.join(sentence.split())}", file=sys.stderr)
    return code


def _parser() -> _Parser:
    parser = _Parser(
        prog="lamina",
        description="Train neural networks on tables and use them.",
        epilog="First steps: lamina train diamonds --target price",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    _add_train(commands)
    _add_predict(commands)
    _add_info(commands)
    return parser


def _add_train(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        help="train a network on a table",
        description="Train a network to predict one column of a table from the others.",
    )
    table = train.add_argument
    table("table", help="a CSV, CSV.gz or Parquet file, or the name of a bundled table: diamonds")
    table("--target", metavar="COLUMN", help="the column to predict")
    table(
        "--task",
        choices=["regression", "classification"],
        help="default: by the target's cells (text, or few whole numbers: classification)",
    )
    table("--test", metavar="TABLE", help="a table to test on; default: a fifth of the rows")
    table(
        "--validation",
        metavar="SHARE|TABLE",
        default="0.16",
        help="rows that decide when to stop: a share of all rows, or a table (default: 0.16)",
    )
    table("--epochs", type=_positive, metavar="N", help="the most epochs; default: by the size")
    table("--seed", type=_natural, default=0, metavar="N", help="of split and network (default: 0)")
    table("--threads", type=_positive, metavar="N", help="default: all cores it may use")
    table("--output", type=Path, metavar="FILE", help="model file; default: TABLE.lamina here")
    table("--json", action="store_true", help="print the results as one JSON object")
    table("--quiet", action="store_true", help="print nothing but errors (and --json)")
    train.set_defaults(run=_train)


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser(
        "predict",
        help="predict with a trained model",
        description="Write a CSV with a column 'prediction', one line for each row of the table; "
        "for classes a column 'probability_CLASS' for each class, too.",
    )
    predict.add_argument("model", type=Path, help="a file that lamina train wrote")
    predict.add_argument("table", help="rows with the columns of training")
    predict.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")
    predict.add_argument("--threads", type=_positive, metavar="N", help=argparse.SUPPRESS)
    predict.set_defaults(run=_predict)


def _add_info(commands: Any) -> None:
    info = commands.add_parser(
        "info", help="describe a model file", description="Describe a model file."
    )
    info.add_argument("model", type=Path, help="a file that lamina wrote")
    info.set_defaults(run=_info)


# The commands are imported when they run: --help and typing errors answer at once.


def _train(options: argparse.Namespace) -> None:
    from lamina.cli.train import train

    train(options)


def _predict(options: argparse.Namespace) -> None:
    from lamina.cli.predict import predict

    predict(options)


def _info(options: argparse.Namespace) -> None:
    from lamina.cli.info import info

    info(options)


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **settings: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **settings)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"lamina {version('lamina')}")
        parser.exit()


def _natural(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
