"""What ails a cluster or region 集群病灶: one module per ailment, each a function from tables to findings.

Rules of severity are our own and stand beside the functions as numbers with names; `docs/methods/diagnosis.md` lists them.
"""
