"""JSON Schema (2020-12) of the documents people write, so that editors complete and check them.

Made from the same types that read the documents: there is no second model to keep in step. What only the reader
can know (which metrics go together, which file exists) stays with the reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The version of JSON Schema that is written."""


def plan_schema() -> dict[str, Any]:
    """The schema of a training plan."""
    from noa_mlops.records.plan import TrainingPlan

    schema = schema_of(TrainingPlan, title="noa training plan")
    schema["$defs"]["EvaluationPlan"] |= {
        "if": {"properties": {"gate": {"const": "none"}}, "required": ["gate"]},
        "then": {"required": ["reason"]},
    }
    return schema


def dataset_schema() -> dict[str, Any]:
    """The schema of a dataset definition."""
    from noa_mlops.records.dataset import DatasetDefinition

    return schema_of(DatasetDefinition, title="noa dataset definition")


def settings_schema() -> dict[str, Any]:
    """The schema of ``noa.yaml``."""
    from noa_mlops.records.settings import Settings

    return schema_of(Settings, title="noa project settings")


def schema_of(kind: type[Any], *, title: str) -> dict[str, Any]:
    """The schema of documents that `read_document` reads into the frozen dataclass ``kind``."""
    from noa_mlops.records.reading.typed import adapter

    wanted: Any = kind
    made = adapter(wanted).json_schema(ref_template="#/$defs/{model}")
    definitions = {name: _tidied(definition) for name, definition in made["$defs"].items()}
    document = definitions.pop(made["prefixItems"][0]["$ref"].removeprefix("#/$defs/"))
    return {"$schema": DIALECT, **document, "title": title, "$defs": definitions}


def _tidied(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition without the titles that pydantic makes of names, and without defaults in a form nobody writes."""
    properties = {name: _property(field) for name, field in definition.get("properties", {}).items()}
    return {name: part for name, part in definition.items() if name != "title"} | {"properties": properties}


def _property(field: Mapping[str, Any]) -> dict[str, Any]:
    no_news = {"title", "default"} if field.get("default") in (None, [], {}) else {"title"}
    return {name: part for name, part in field.items() if name not in no_news}
