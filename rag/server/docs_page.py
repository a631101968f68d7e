"""The page at /docs: the OpenAPI description as plain HTML, which loads nothing from anywhere."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import Environment

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ info.title }}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow-x: auto; background: #8881; padding: .75rem } summary { cursor: pointer; padding: .25rem 0 }
</style></head><body>
<h1>{{ info.title }} {{ info.version }}</h1>
<p>{{ info.description }} The whole description is at <a href="openapi.json">openapi.json</a>.</p>
{% for path, methods in paths.items() %}{% for method, operation in methods.items() %}
<details><summary><code>{{ method | upper }} {{ path }}</code> {{ operation.summary }}</summary>
{% if operation.description %}<p>{{ operation.description }}</p>{% endif %}
{% for parameter in operation.parameters or [] %}
<p><code>{{ parameter.name }}</code> in {{ parameter.in }}{% if parameter.required %}, required{% endif %}</p>
{% endfor %}
{% if operation.requestBody %}<pre>{{ body_of(operation) }}</pre>{% endif %}
</details>{% endfor %}{% endfor %}
</body></html>
"""


def docs_page(description: dict[str, Any]) -> str:
    """The HTML for an OpenAPI description."""
    schemas = description.get("components", {}).get("schemas", {})

    def body_of(operation: dict[str, Any]) -> str:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        named = schemas.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
        return json.dumps(named.get("properties", named), ensure_ascii=False, indent=2)

    page = Environment(autoescape=True).from_string(_PAGE)
    return page.render(info=description["info"], paths=description["paths"], body_of=body_of)
