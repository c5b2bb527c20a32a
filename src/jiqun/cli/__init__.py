"""The command line 命令行: parse, call one function, write. One module per room."""

from jiqun.cli.app import main

__all__ = ["main"]
