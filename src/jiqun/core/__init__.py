"""Words that every room shares: schemas, errors, results and lineage, documents, clock, progress.

Nothing here knows a room, a file layout or a page.
"""
