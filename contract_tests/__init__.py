"""The exported contract suite."""
