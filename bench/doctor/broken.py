"""All broken trainings; importing this registers them."""

from doctor import broken_data, broken_networks, broken_steps

__all__ = ["broken_data", "broken_networks", "broken_steps"]
