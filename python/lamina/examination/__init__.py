"""The doctor: facts are gathered from a network, its training and its data, and diagnosed."""

from lamina.examination.doctor import doctor, examine

__all__ = ["doctor", "examine"]
