"""Atlas 图谱: see where the clusters are, how sure that is, who is in them."""

from jiqun.atlas.areal import benjamini_hochberg, getis_ord, getis_ord_test, local_moran, regional_profile
from jiqun.atlas.chain_data import Chain, parse_chain
from jiqun.atlas.chain_places import Places, place_firms
from jiqun.atlas.chain_strength import ChainMap, candidates, chain_gaps, chain_map
from jiqun.atlas.cluster_types import cluster_type, industry_score
from jiqun.atlas.clusters import Clusters, find_clusters
from jiqun.atlas.concentration import ellison_glaeser, ellison_glaeser_by, gini, shift_share
from jiqun.atlas.core_shares import core_share, listed_share
from jiqun.atlas.density import dbscan
from jiqun.atlas.graphs import Network, backbone, network
from jiqun.atlas.gravity import linkage_residual
from jiqun.atlas.identity import Succession, succeed
from jiqun.atlas.industry_groups import IndustrySets, industry_sets
from jiqun.atlas.industry_space import complexity, presence, relatedness, relatedness_density
from jiqun.atlas.leaders import chain_leaders
from jiqun.atlas.measures import herfindahl, krugman_index, location_quotient, location_quotient_interval
from jiqun.atlas.network_clusters import NetworkClusters, find_network_clusters
from jiqun.atlas.pairs import k_density, m_function
from jiqun.atlas.partition import Communities, communities
from jiqun.atlas.positions import betweenness, brokerage, constraint, core_periphery, pagerank, reciprocity
from jiqun.atlas.sphere import BallIndex
from jiqun.atlas.tie_changes import tie_changes

__all__ = [
    "BallIndex",
    "Chain",
    "ChainMap",
    "Clusters",
    "Communities",
    "IndustrySets",
    "Network",
    "NetworkClusters",
    "Places",
    "Succession",
    "backbone",
    "benjamini_hochberg",
    "betweenness",
    "brokerage",
    "candidates",
    "chain_gaps",
    "chain_leaders",
    "chain_map",
    "cluster_type",
    "communities",
    "complexity",
    "constraint",
    "core_periphery",
    "core_share",
    "dbscan",
    "ellison_glaeser",
    "ellison_glaeser_by",
    "find_clusters",
    "find_network_clusters",
    "getis_ord",
    "getis_ord_test",
    "gini",
    "herfindahl",
    "industry_score",
    "industry_sets",
    "k_density",
    "krugman_index",
    "linkage_residual",
    "listed_share",
    "local_moran",
    "location_quotient",
    "location_quotient_interval",
    "m_function",
    "network",
    "pagerank",
    "parse_chain",
    "place_firms",
    "presence",
    "reciprocity",
    "regional_profile",
    "relatedness",
    "relatedness_density",
    "shift_share",
    "succeed",
    "tie_changes",
]
