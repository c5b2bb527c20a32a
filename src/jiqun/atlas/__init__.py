"""Atlas 图谱: see where the clusters are, how sure that is, who is in them."""

from jiqun.atlas.areal import benjamini_hochberg, getis_ord, local_moran, regional_profile
from jiqun.atlas.chain_data import Chain, parse_chain
from jiqun.atlas.chain_places import Places, place_firms
from jiqun.atlas.chain_strength import ChainMap, candidates, chain_gaps, chain_map
from jiqun.atlas.clusters import Clusters, find_clusters
from jiqun.atlas.concentration import ellison_glaeser, ellison_glaeser_by, gini, shift_share
from jiqun.atlas.core_shares import core_share, listed_share
from jiqun.atlas.density import dbscan
from jiqun.atlas.identity import Succession, succeed
from jiqun.atlas.industry_groups import IndustrySets, industry_sets
from jiqun.atlas.industry_space import complexity, presence, relatedness, relatedness_density
from jiqun.atlas.measures import herfindahl, krugman_index, location_quotient, location_quotient_interval
from jiqun.atlas.pairs import k_density, m_function
from jiqun.atlas.sphere import BallIndex

__all__ = [
    "BallIndex",
    "Chain",
    "ChainMap",
    "Clusters",
    "IndustrySets",
    "Places",
    "Succession",
    "benjamini_hochberg",
    "candidates",
    "chain_gaps",
    "chain_map",
    "complexity",
    "core_share",
    "dbscan",
    "ellison_glaeser",
    "ellison_glaeser_by",
    "find_clusters",
    "getis_ord",
    "gini",
    "herfindahl",
    "industry_sets",
    "k_density",
    "krugman_index",
    "listed_share",
    "local_moran",
    "location_quotient",
    "location_quotient_interval",
    "m_function",
    "parse_chain",
    "place_firms",
    "presence",
    "regional_profile",
    "relatedness",
    "relatedness_density",
    "shift_share",
    "succeed",
]
