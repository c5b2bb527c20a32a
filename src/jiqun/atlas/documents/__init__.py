"""What a search says, in words, maps and tables, in both languages 图谱文档. `jiqun.report` gives it a look."""

from jiqun.atlas.documents.atlas import Told, atlas_document
from jiqun.atlas.documents.cluster import cluster_document
from jiqun.atlas.documents.compare import compare_document
from jiqun.atlas.documents.firm import firm_document
from jiqun.atlas.documents.measured import measures_beside, measures_document
from jiqun.atlas.documents.network import network_document
from jiqun.atlas.documents.network_cluster import network_cluster_document
from jiqun.atlas.documents.region import region_document

__all__ = [
    "Told",
    "atlas_document",
    "cluster_document",
    "compare_document",
    "firm_document",
    "measures_beside",
    "measures_document",
    "network_cluster_document",
    "network_document",
    "region_document",
]
