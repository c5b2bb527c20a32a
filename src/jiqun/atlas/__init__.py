"""Atlas 图谱: see where the clusters are, how sure that is, who is in them."""
