"""Assess 评估: how a cluster stands, how sure that is, and what would change the result."""
