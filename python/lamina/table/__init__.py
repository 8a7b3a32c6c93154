"""Tables: from columns of text and numbers to a trained network and back to predictions.

``TableEncoder`` decodes, ``TableTransform`` scales, ``Target`` knows what is predicted,
``TableModel`` holds them together with a network.
"""

from lamina.table.encoder import Encoded, TableEncoder
from lamina.table.model import TableModel, load
from lamina.table.split import split_rows
from lamina.table.target import Target
from lamina.table.transform import TableTransform

__all__ = [
    "Encoded",
    "TableEncoder",
    "TableModel",
    "TableTransform",
    "Target",
    "load",
    "split_rows",
]
