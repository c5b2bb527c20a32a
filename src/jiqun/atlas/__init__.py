"""Atlas 图谱: see where the clusters are, how sure that is, who is in them."""

from jiqun.atlas.areal import benjamini_hochberg, getis_ord, regional_profile
from jiqun.atlas.clusters import Clusters, find_clusters
from jiqun.atlas.density import dbscan
from jiqun.atlas.identity import Succession, succeed
from jiqun.atlas.measures import herfindahl, krugman_index, location_quotient, location_quotient_interval
from jiqun.atlas.sphere import BallIndex

__all__ = [
    "BallIndex",
    "Clusters",
    "Succession",
    "benjamini_hochberg",
    "dbscan",
    "find_clusters",
    "getis_ord",
    "herfindahl",
    "krugman_index",
    "location_quotient",
    "location_quotient_interval",
    "regional_profile",
    "succeed",
]
