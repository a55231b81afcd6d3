"""Generate the page's TypeScript types and the documentation of the Socket.IO events from the message schemas.

``python -m moodmirror.live.page_types`` (``make types``) writes ``static/js/messages.d.ts`` and
``docs/socketio_messages.md``. A test fails if they are older than :mod:`moodmirror.live.message_schemas`.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from moodmirror.camera.status import CameraState
from moodmirror.fusion import SOURCES
from moodmirror.live.message_schemas import (
    CLIENT_EVENTS,
    SERVER_EVENTS,
    ConnectAuth,
    ConnectRefusal,
    Emotion,
    Erasable,
    ErrorAck,
    Kind,
    Mode,
    SpotifyState,
    Verdict,
)
from moodmirror.paths import ROOT

TYPES_PATH: Final = ROOT / "static" / "js" / "messages.d.ts"
DOCUMENTATION_PATH: Final = ROOT / "docs" / "socketio_messages.md"

# Literals that get a name in TypeScript.
ALIASES: Final[Mapping[tuple[str, ...], str]] = {
    get_args(Emotion): "Emotion",
    get_args(Kind): "Kind",
    get_args(Mode): "Mode",
    get_args(SpotifyState): "SpotifyState",
    get_args(Verdict): "Verdict",
    get_args(Erasable): "Erasable",
    SOURCES: "Source",
    get_args(CameraState): "CameraState",
}
NOTICE: Final = "Generated from moodmirror/live/message_schemas.py by `make types`: change that module, not this file."

HEADER: Final = f"""\
// {NOTICE}

type KeysOf<Union> = Union extends unknown ? keyof Union : never;
type OneOfAll<Union, All> = Union extends unknown
  ? Union & {{ [Key in Exclude<KeysOf<All>, keyof Union>]?: undefined }}
  : never;

/** One of several objects; keys that only the others have are undefined. */
export type OneOf<Union> = OneOfAll<Union, Union>;

/** What the server acknowledges a message with: `Content`, or the error because of which it was rejected. */
export type Acknowledgement<Content> = OneOf<Content | ErrorAck>;
"""

INTRODUCTION: Final = f"""\
<!-- {NOTICE} -->

# Socket.IO messages

The page and the server exchange these messages over Socket.IO in its default namespace.

A message of a client has one payload, or none, which counts as `null`. The server validates the payload and answers each
message with an acknowledgement: the content given below, or `{{"error": "…"}}` if it rejected the message. Clients may leave
out fields marked *optional*; the server leaves its own optional fields out where they don't apply.

To connect, a client sends the cookie of the page, and a token from `GET /token` as [`auth`](#connectauth). The error of a
refused connection has a message for the user, and [data](#connectrefusal).
"""

Schema = Mapping[str, Any]


def type_definitions() -> str:
    """Return the content of ``messages.d.ts``."""
    models = _models()
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template="{model}")
    aliases = [f"export type {name} = {' | '.join(map(json.dumps, values))};\n" for values, name in ALIASES.items()]
    incoming = {spec.payload.__name__ for spec in CLIENT_EVENTS.values()}
    shapes = [_declaration(name, schema, incoming) for name, schema in definitions["$defs"].items()]
    return "\n".join([HEADER, *aliases, *shapes, _client_events(), _server_events()])


def documentation() -> str:
    """Return the content of ``socketio_messages.md``."""
    _, definitions = models_json_schema([(model, "validation") for model in _models()], ref_template="{model}")
    schemas: Mapping[str, Schema] = definitions["$defs"]
    objects = {name for name, schema in schemas.items() if schema.get("type") == "object" and "propertyNames" not in schema}
    parts = [INTRODUCTION, "## Client to server\n"]
    for event, spec in CLIENT_EVENTS.items():
        parts.append(_section(event, schemas[spec.payload.__name__]))
        acknowledgements = " or ".join(f"[{model.__name__}](#{model.__name__.lower()})" for model in spec.acknowledgements)
        parts.append(f"Acknowledgement: {acknowledgements}\n")
    parts.append("## Server to client\n")
    parts += [_section(event, schemas[payload.__name__]) for event, payload in SERVER_EVENTS.items()]
    parts.append("## Shapes\n")
    top = {spec.payload.__name__ for spec in CLIENT_EVENTS.values()} | {
        payload.__name__ for payload in SERVER_EVENTS.values()
    }
    top -= {"Mood"}  # the mood history holds it too
    for name in sorted(objects - top):
        parts.append(f"### {name}\n\n{_summary(schemas[name])}\n\n{_fields(schemas[name])}")
    return "\n".join(parts)


def main() -> None:
    """Write both files."""
    TYPES_PATH.write_text(type_definitions(), encoding="utf-8")
    DOCUMENTATION_PATH.write_text(documentation(), encoding="utf-8")
    print(f"wrote {TYPES_PATH.relative_to(ROOT)} and {DOCUMENTATION_PATH.relative_to(ROOT)}")


def _models() -> list[type[BaseModel]]:
    models: list[type[BaseModel]] = [ErrorAck, ConnectAuth, ConnectRefusal, *SERVER_EVENTS.values()]
    for spec in CLIENT_EVENTS.values():
        models += [spec.payload, *spec.acknowledgements]
    return list(dict.fromkeys(models))


# TypeScript


def _declaration(name: str, schema: Schema, incoming: Collection[str]) -> str:
    comment = f"/** {_summary(schema)} */\n"
    if schema.get("type") != "object" or "propertyNames" in schema:
        return f"{comment}export type {name} = {_typescript(schema)};\n"
    lines = [f"{comment}export interface {name} {{"]
    required = schema.get("required", ())
    for field, content in schema.get("properties", {}).items():
        if description := content.get("description"):
            lines.append(f"  /** {description} */")
        content_type, optional = _typescript(content), field not in required
        if optional and name not in incoming:  # the server leaves it out rather than sending null
            content_type = content_type.removesuffix(" | null")
        lines.append(f"  {field}{'?' if optional else ''}: {content_type};")
    return "\n".join([*lines, "}\n"])


def _typescript(schema: Schema) -> str:
    match schema:
        case {"$ref": str(name)}:
            return name
        case {"const": value}:
            return json.dumps(value)
        case {"enum": [*values]}:
            return ALIASES.get(tuple(values)) or " | ".join(map(json.dumps, values))
        case {"anyOf": [*options]} | {"oneOf": [*options]}:
            return " | ".join(map(_typescript, options))
        case {"type": "string", "format": "binary"}:
            return "ArrayBuffer | ArrayBufferView | Blob"
        case {"type": "array", "items": items, "minItems": int(least), "maxItems": int(most)} if least == most:
            return f"[{', '.join([_typescript(items)] * least)}]"
        case {"type": "array", "items": items}:
            return f"{_typescript(items)}[]" if " " not in _typescript(items) else f"({_typescript(items)})[]"
        case {"type": "object", "propertyNames": {"enum": [*keys]}, "additionalProperties": values}:
            return f"Partial<Record<{_typescript({'enum': keys})}, {_typescript(values)}>>"
        case {"type": "object", "additionalProperties": values}:
            return f"Record<string, {_typescript(values)}>"
        case {"type": "string" | "boolean" | "null" as name}:
            return str(name)
        case {"type": "number" | "integer"}:
            return "number"
    raise ValueError(f"no TypeScript type for the JSON schema {schema}: extend {__name__}")


def _client_events() -> str:
    """Return the map of a client's events, as socket.io-client's ``Socket`` takes it.

    Parameters are a union where the page may leave the acknowledgement out: with an optional callback, socket.io-client
    would no longer check what is emitted.
    """
    lines = ["/** Events that the page emits. */\nexport interface ClientToServerEvents {"]
    for event, spec in CLIENT_EVENTS.items():
        content = " | ".join(model.__name__ for model in spec.acknowledgements)
        payload, callback = spec.payload.__name__, f"callback: (answer: Acknowledgement<{content}>) => void"
        if spec.awaited:
            lines.append(f"  {event}: (payload: {payload}, {callback}) => void;")
        else:
            lines.append(f"  {event}: (...parameters: [payload: {payload}] | [payload: {payload}, {callback}]) => void;")
    return "\n".join([*lines, "}\n"])


def _server_events() -> str:
    lines = ["/** Events that the server emits. */\nexport interface ServerToClientEvents {"]
    lines += [f"  {event}: (payload: {payload.__name__}) => void;" for event, payload in SERVER_EVENTS.items()]
    return "\n".join([*lines, "}\n"])


# Markdown


def _section(event: str, schema: Schema) -> str:
    content = _fields(schema) if "properties" in schema else f"Payload: {_in_text(schema)}\n"
    return f"### `{event}`\n\n{_summary(schema)}\n\n{content}"


def _fields(schema: Schema) -> str:
    fields = schema.get("properties", {})
    if not fields:
        return "An empty object.\n"
    required = schema.get("required", ())
    lines = ["| field | type | description |", "| --- | --- | --- |"]
    for name, content in fields.items():
        optional = "" if name in required else "*optional* "
        lines.append(f"| `{name}` | {optional}{_in_text(content)} | {content.get('description', '')} |")
    return "\n".join(lines) + "\n"


def _in_text(schema: Schema) -> str:
    """Return a type with its constraints, as Markdown that fits into a cell of a table."""
    match schema:
        case {"$ref": str(name)}:
            return f"[{name}](#{name.lower()})"
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"enum": [*values]}:
            return ", ".join(f"`{value}`" for value in values)
        case {"anyOf": [*options]} | {"oneOf": [*options]}:
            return " or ".join(map(_in_text, options))
        case {"type": "string", "format": "binary"}:
            return "bytes"
        case {"type": "array", "items": items}:
            length = f"{schema['minItems']} × " if "minItems" in schema else ""
            return f"list of {length}{_in_text(items)}"
        case {"type": "object", "additionalProperties": values}:
            keys = _in_text(schema["propertyNames"]) if "propertyNames" in schema else "string"
            return f"object: {keys} → {_in_text(values)}"
    return f"{schema['type']}{''.join(_constraints(schema))}"


def _constraints(schema: Schema) -> Iterator[str]:
    if "minimum" in schema and "maximum" in schema:
        yield f" from {schema['minimum']:,} to {schema['maximum']:,}"
    elif "minimum" in schema:
        yield f" ≥ {schema['minimum']:,}"
    if "maxLength" in schema:
        yield f" of at most {schema['maxLength']:,} characters"


def _summary(schema: Schema) -> str:
    return " ".join(str(schema["description"]).split())


if __name__ == "__main__":
    main()
