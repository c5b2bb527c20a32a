"""jiqun 集群: see, assess and serve digital industry clusters."""

__version__ = "0.1.0"
