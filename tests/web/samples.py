"""A valid request for any operation, made from its own schema: the smallest that the declaration allows."""

from __future__ import annotations

from typing import Any

FORMATS = {"date": "2024-05-01", "date-time": "2024-05-01T00:00:00Z"}
PATTERNS = {
    r"^\d{4}$": "0101",
    r"^[A-Z]{2}(\.[A-Z0-9]{1,10})?$": "US",
    r"^c\d{4,9}$": "c0001",
    r"^\d{2,6}$": "01",
    r"^[A-Z]{2}$": "CN",
}
"""An example for each pattern that requests use and that letters would not match."""
_TOGETHER = ("anyOf", "oneOf", "allOf")


def sample(schema: dict[str, Any], top: dict[str, Any] | None = None) -> Any:
    """A value of a JSON schema; objects get their required fields only."""
    top = top or schema
    if "$ref" in schema:
        return sample(top["$defs"][schema["$ref"].rsplit("/", 1)[1]], top)
    for choice in _TOGETHER:
        if choice in schema:
            return sample(schema[choice][0], top)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    return _of_type(schema, top)


def _of_type(schema: dict[str, Any], top: dict[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "object":
        parts = schema.get("properties", {})
        free = {"name": sample(schema["additionalProperties"], top)} if schema.get("minProperties") else {}
        return {name: sample(parts[name], top) for name in schema.get("required", ())} | free
    if kind == "array":
        return [sample(schema["items"], top)] * schema.get("minItems", 0)
    if kind == "string":
        letters = "a" * max(1, schema.get("minLength", 1))
        return FORMATS.get(schema.get("format", ""), PATTERNS.get(schema.get("pattern", ""), letters))
    return {"boolean": False, "null": None}.get(str(kind), schema.get("minimum", 1))
