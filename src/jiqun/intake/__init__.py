"""Reading, recognising, checking and placing what comes in 数据接入."""

from jiqun.intake.address import parse_address

__all__ = ["parse_address"]
