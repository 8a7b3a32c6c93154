"""Writes the table of codes in docs/doctor.md from the list that the diagnosis itself uses.

Run it after a change of lamina/diagnosis/codes.py: `python docs/write_codes.py`;
test_doctor_docs.py compares.
"""

from pathlib import Path

from lamina.diagnosis import CODES

PAGE = Path(__file__).resolve().parent / "doctor.md"
BEGIN, END = "<!-- codes: written by docs/write_codes.py -->\n", "<!-- end of codes -->\n"


def table() -> str:
    """Return a row for each code, in the order in which causes explain consequences."""
    rows = ["| Code | What it says | Read from |", "|---|---|---|"]
    rows += [f"| **`{code.name}`** | {code.meaning} | {code.source} |" for code in CODES.values()]
    return "\n".join(rows) + "\n"


def page_with(text: str, codes: str) -> str:
    """Return the page with this table between its marks."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + codes + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), table()), encoding="utf-8")
