"""Rosters 名单: who on a list is which organisation, merged without losing what people decided."""
