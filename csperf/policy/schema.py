"""The plan language as a JSON Schema, made from the models: editors complete keys by it and explain them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import BaseModel

from csperf.policy.figures import ATTRIBUTES
from csperf.policy.models import Plan, SharedPart

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that editors understand best."""

DESCRIPTIONS = {
    "Condition.name": "The condition's code, as it stands in tiers.tier_conditions",
    "Condition.value": "A formula on the quarter's values; an absent value does not meet the condition",
    "Condition.operator": "How the value is compared with the threshold",
    "Condition.threshold": "A number or a formula",
    "Condition.labels": "What people read beside the code",
    "Contest.places": "The figure that says how many places there are in each group",
    "Contest.within": "The attribute, or list of attributes, whose equal values make a group; without it all compete",
    "Contest.by": "The formula that the best have most of; ties go to the earlier hire date",
    "Contest.labels": "What people read beside the code",
    "Review.raise_share": "The formula of the share by which the base is proposed to rise, in December",
    "Review.labels": "What people read beside the code",
    "Rule.decision": "What is decided where all conditions hold",
    "Rule.conditions": "What must hold, all of it; without conditions the rule always decides",
    "Rule.contest": "A limited number of places for those who meet the conditions",
    "Rule.grades": "The grades that the rule is for; without it all of the ladder",
    "Rule.levels": "How many grades up a promotion goes",
    "Rule.lowest": "What is decided instead of a demotion where no grade is below",
    "Rule.notice": "The figure with the working days of public notice, after which the decision takes effect",
    "Rule.base_raise": "The figure with the share of the base that the rule grants",
    "Rule.leave_days": "The figure with the days of leave a year that the rule grants",
    "Rule.reason": "Why, as people read it",
    "Tiers.ladder": "The grades from low to high, where there is one row of them",
    "Tiers.tracks": "Several rows of grades by name, each from low to high",
    "Tiers.rules": "Rules in the order they are tried; the first that holds decides",
    "Version.effective_from": "The first day that this version is in force, like 2026-01-01",
    "Version.figures": "The plan's numbers, each with its provenance",
    "Version.terms": "Formulas by name that other formulas read; a term is not rounded",
    "Version.measures": "Numbers of the plan's own, one for each employee and period",
    "Version.components": "What is paid: a line for each employee and pay month",
    "Version.tiers": "Who moves a grade up or down when a quarter ends",
    "Version.review": "The yearly salary review",
    "Version.uses": "Codes of shared parts, or of other plans; what they say is the plan's too where it is silent",
    "Version.base": "The formula of the unprorated monthly base that raises are reckoned on",
    "Version.scorecard": "Which measures stand in the scorecard's common columns",
    "Version.sampling": "How many interactions an agent and day are drawn for QA review",
}
"""What keys mean whose model does not say it itself, by model and key. A part's keys are those of a version."""

Schema = dict[str, Any]


def plan_schema() -> Schema:
    """The schema of a plan file or a file of a shared part."""
    plan, part = described(Plan), described(SharedPart)
    definitions = {**plan.pop("definitions"), **part.pop("definitions"), "Plan": plan, "SharedPart": part}
    return {
        "$schema": DRAFT,
        "title": "csperf plan",
        "description": "A plan, or a part that plans share (its first key is `shared`). See docs/plans.md.",
        "type": "object",
        "if": {"required": ["shared"]},
        "then": {"$ref": "#/definitions/SharedPart"},
        "else": {"$ref": "#/definitions/Plan"},
        "definitions": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """The schema as it stands in docs/plan.schema.json."""
    return json.dumps(plan_schema(), ensure_ascii=False, indent=2) + "\n"


@cache
def _generated(model: type[BaseModel]) -> Schema:
    schema = model.model_json_schema(ref_template="#/definitions/{model}")
    schema["definitions"] = schema.pop("$defs", {})
    for title, definition in [(model.__name__, schema), *schema["definitions"].items()]:
        _describe(title, definition)
        _tidy(definition)
    if "Figure" in schema["definitions"]:
        _shape_figures(schema["definitions"])
    return schema


def described(model: type[BaseModel]) -> Schema:
    """A model's schema with a description at every key; definitions lie under `definitions`."""
    return dict(_generated(model))


def _describe(model: str, definition: Schema) -> None:
    definition["description"] = " ".join(str(definition.get("description", "")).split())
    for key, entry in definition.get("properties", {}).items():
        told = DESCRIPTIONS.get(f"{model}.{key}") or DESCRIPTIONS.get(f"Version.{key}")
        if told is not None:
            entry.setdefault("description", told)


def _tidy(node: Schema) -> None:
    """Leave out what editors would only show as noise, and say in JSON what the YAML may hold."""
    node.pop("title", None)
    if not isinstance(node.get("default", ""), str | bool) or node.get("default") == "":
        node.pop("default", None)
    options = [option for option in node.get("anyOf", []) if option.get("type") != "null"]
    if {option.get("type") for option in options} == {"number", "string"}:
        options = [{"type": "number"}]
    if len(options) == 1:
        del node["anyOf"]
        node.update({key: value for key, value in options[0].items() if key != "description"})
    if "patternProperties" in node:
        node["additionalProperties"] = False
    if node.get("type") == "string" and not {"enum", "pattern", "format"} & set(node):
        node["type"] = ["string", "number"]
    children = [*node.get("properties", {}).items(), *node.get("patternProperties", {}).items()]
    for key, child in [*children, ("", node.get("items")), ("", node.get("additionalProperties"))]:
        if isinstance(child, dict):
            _tidy(child)
            if key in _ONE_OR_MORE and "items" in child:
                child["anyOf"] = [child["items"], {"type": "array", "items": child.pop("items")}]
                del child["type"]


_ONE_OR_MORE = ("by", "grades", "period", "within")
"""Keys at which one code stands for a list of one."""


def _shape_figures(definitions: Schema) -> None:
    """The shapes of tables and scales, which the model itself checks by hand."""
    number = r"-?\d+(\.\d+)?"
    interval = rf"^[\[(]\s*(-inf|{number})\s*,\s*(inf|{number})\s*[\])]$"
    table, scale = {"$ref": "#/definitions/Table"}, {"$ref": "#/definitions/Scale"}
    definitions["Table"] = {
        "description": "A number, or a block: code (or `code, code`) and what stands for it",
        "anyOf": [{"type": "number"}, {"type": "object", "additionalProperties": table}],
    }
    definitions["Scale"] = {
        "description": "A block: interval and number, or code (or `code, code`) and its scale",
        "type": "object",
        "patternProperties": {interval: {"anyOf": [{"type": "number"}, {"const": "none"}]}},
        "additionalProperties": scale,
    }
    properties = definitions["Figure"]["properties"]
    attributes: Schema = {"enum": list(ATTRIBUTES)}
    properties["by"]["anyOf"] = [attributes, {"type": "array", "items": attributes, "uniqueItems": True}]
    properties["values"] |= {"type": "object", "additionalProperties": table}
    properties["bands"] |= {
        key: definitions["Scale"][key] for key in ("type", "patternProperties", "additionalProperties")
    }
    definitions["Figure"]["oneOf"] = [{"required": shape} for shape in (["value"], ["by", "values"], ["bands"])]
    definitions["Measure"]["properties"]["levels"]["propertyNames"] = {"pattern": r"^-?\d+$"}
