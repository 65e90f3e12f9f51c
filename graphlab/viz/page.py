"""A page that makes no request: one script, one stylesheet and its data, allowed by their hashes and nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from graphlab.viz import bundle
from graphlab.viz.escape import escape, script_json


def page(title: str, holds: str, entry: str, data: Mapping[str, Any], otherwise: str) -> str:
    """HTML whose script is the module `entry` over `data`; `holds` says what is in it, `otherwise` stands in for it."""
    script, style = bundle.script(entry), bundle.style()
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<meta name="description" content="A graphlab report; {escape(holds)}.">',
            f"<title>{escape(title)} · graphlab</title><style>{style}</style></head>",
            '<body class="gl-report"><main id="gl-app"></main>',
            f"<noscript>{otherwise}</noscript>",
            f'<script type="application/json" id="gl-data">{script_json(data)}</script>',
            f'<script type="module">{script}</script>',
            "</body></html>\n",
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
