"""Who uses the console in its tests, what hostile names are like, and which addresses there are."""

from __future__ import annotations

import re

HOSTILE = (
    '<script>alert("jq")</script>',
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{ 7 * 7 }} {% raw %}",
    "O'Brien & Söhne <b>",
    "</title></svg><svg onload=alert(1)>",
    "=HYPERLINK(1)",
)
"""Names that a page must show as what they are."""


PASSWORD = "correct horse battery staple"  # noqa: S105  # of a workspace that lives for one test
NAMES = {
    "operator": "<b>Ops & Co</b>",
    "analyst": '"><script>alert(2)</script>',
    "member": "成员 <img src=x onerror=alert(3)>",
    "auditor": "{{ 1 + 1 }}",
}
"""Names of the accounts, one for each role."""


def routes(app, method):
    """Addresses of every route that takes `method`, with "1" for what stands in braces."""

    def walk(router):
        for route in router.routes:
            inner = getattr(route, "original_router", None)
            if inner is not None:
                yield from walk(inner)
            elif method in (getattr(route, "methods", None) or ()):
                yield re.sub(r"\{[^}]*\}", "1", route.path)

    return sorted(set(walk(app)))
