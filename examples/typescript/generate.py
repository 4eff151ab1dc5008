"""Write the TypeScript client from a server's OpenAPI document: `curl URL/openapi.json | generate.py > sfumato.ts`."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

HEAD = """\
// A client of sfumato's API, written by generate.py from /openapi.json. Do not edit: write it again.
// It needs nothing but `fetch`. A refusal is a `Refused`, with the problem (RFC 9457) that the server sent.

"""
CLIENT = """\
/** A refusal of the server. retryAfter: seconds until it is worth asking again, where the server says so. */
export class Refused extends Error {
  constructor(readonly status: number, readonly problem: Problem | null, readonly retryAfter: number | null) {
    super(problem === null ? `status ${status}` : `${problem.title}: ${problem.detail}`);
  }
}

type Query = Record<string, string | number | null | undefined>;
type Sent = { query?: Query; headers?: Record<string, string>; json?: unknown; text?: string };

/** url: of the server, over https or on this machine. key: an API key, `sfk_...`, or an identity provider's token. */
export class Sfumato {
  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly fetcher: typeof fetch = fetch,
  ) {}

"""
TAIL = """\
  private async ask(method: string, path: string, sent: Sent = {}): Promise<Response> {
    const address = new URL(this.url.replace(/\\/+$/, "") + path);
    for (const [name, value] of Object.entries(sent.query ?? {})) {
      if (value !== null && value !== undefined) address.searchParams.set(name, String(value));
    }
    const headers: Record<string, string> = { ...sent.headers, Authorization: `Bearer ${this.key}` };
    let body = sent.text;
    if (sent.json !== undefined) {
      headers["Content-Type"] = "application/json";
      body = JSON.stringify(sent.json);
    }
    const said = await this.fetcher(address, body === undefined ? { method, headers } : { method, headers, body });
    if (said.ok) return said;
    const told = said.headers.get("content-type")?.startsWith("application/problem+json");
    const wait = said.headers.get("retry-after");
    throw new Refused(said.status, told ? ((await said.json()) as Problem) : null, wait === null ? null : Number(wait));
  }
}
"""
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def render(document: dict[str, Any]) -> str:
    """The client as text; the same document gives the same text."""
    shapes = sorted(document["components"]["schemas"].items())
    named = "".join(f"{_comment(shape, '')}export type {name} = {typed(shape)};\n\n" for name, shape in shapes)
    operations = [
        _method(verb, path, operation)
        for path, item in sorted(document["paths"].items())
        for verb, operation in item.items()
    ]
    return HEAD + named + CLIENT + "\n".join(operations) + "\n" + TAIL


def typed(schema: dict[str, Any]) -> str:
    """The type of a JSON schema."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    choices = [typed(one) for union in ("anyOf", "oneOf") for one in schema.get(union, ())]
    choices += [json.dumps(one) for one in schema.get("enum", [schema["const"]] if "const" in schema else ())]
    if choices:
        return " | ".join(dict.fromkeys(choices))
    kind = schema.get("type")
    if kind == "array":
        inner = typed(schema.get("items", {}))
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    return _object(schema) if kind == "object" else PLAIN.get(kind, "unknown")


def _object(schema: dict[str, Any]) -> str:
    if "properties" not in schema:
        more = schema.get("additionalProperties", True)
        return f"Record<string, {typed(more) if isinstance(more, dict) else 'unknown'}>"
    needed = set(schema.get("required", ()))
    fields = [
        f"{_name(name)}{'' if name in needed else '?'}: {typed(one)}" for name, one in schema["properties"].items()
    ]
    return f"{{ {'; '.join(fields)} }}" if fields else "Record<string, never>"


def _method(verb: str, path: str, operation: dict[str, Any]) -> str:
    """One method: what stands in the path first, then the body, then the query."""
    held = operation.get("parameters", [])
    of = {place: [one for one in held if one["in"] == place] for place in ("path", "query", "header")}
    headers = [one for one in of["header"] if one["required"]]
    asked = [f"{_camel(one['name'])}: {typed(one['schema'])}" for one in (*of["path"], *headers)]
    address = re.sub(r"\{(\w+)\}", lambda found: f"${{encodeURIComponent({_camel(found[1])})}}", path)
    sent = []
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        asked.append(f"asked: {typed(content['application/json']['schema'])}")
        sent.append("json: asked")
    elif content:
        asked.append("text: string")
        headers = [{"name": "Content-Type", "value": next(iter(content))}, *headers]
        sent.append("text")
    if of["query"]:
        fields = "; ".join(
            f"{_name(one['name'])}{'' if one['required'] else '?'}: {typed(one['schema'])}" for one in of["query"]
        )
        free = not any(one["required"] for one in of["query"])
        asked.append(f"query: {{ {fields} }}{' = {}' if free else ''}")
        sent.append("query")
    if headers:
        pairs = ", ".join(
            f"{json.dumps(one['name'])}: {json.dumps(one['value']) if 'value' in one else _camel(one['name'])}"
            for one in headers
        )
        sent.append(f"headers: {{ {pairs} }}")
    result, read = _result(operation)
    words = ", ".join([json.dumps(verb.upper()), f"`{address}`", *([f"{{ {', '.join(sent)} }}"] if sent else [])])
    name = _camel(operation["operationId"].split("_v1_")[0].removesuffix(f"_{path.strip('/')}_{verb}"))
    body = f"return (await (await this.ask({words})).{read}()) as {result};"
    return f"{_comment(operation, '  ')}  async {name}({', '.join(asked)}): Promise<{result}> {{\n    {body}\n  }}\n"


def _result(operation: dict[str, Any]) -> tuple[str, str]:
    """The type of a good answer, and how it is read."""
    content = next(one for status, one in operation["responses"].items() if status.startswith("2")).get("content", {})
    if "application/json" in content:
        return typed(content["application/json"]["schema"]), "json"
    return "string", "text"


def _comment(of: dict[str, Any], inset: str) -> str:
    lines = of.get("description", "").strip().splitlines()
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{inset}/** {lines[0]} */\n"
    return "".join(f"{inset}{line}\n" for line in ("/**", *(f" * {line}".rstrip() for line in lines), " */"))


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else json.dumps(name)


def _camel(name: str) -> str:
    first, *rest = re.split(r"[_-]", name)
    return first + "".join(word.capitalize() for word in rest)


if __name__ == "__main__":
    sys.stdout.write(render(json.load(sys.stdin)))
