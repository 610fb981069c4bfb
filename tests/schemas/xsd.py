"""As much of XML Schema as the published forms of JUnit reports use; anything else in a schema is refused, never passed over.

The content of an element is a regular language over the names of its children, and is matched as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

XS = "{http://www.w3.org/2001/XMLSchema}"
NUMBERS = {
    "xs:int": r"[+-]?\d+",
    "xs:decimal": r"[+-]?(\d+(\.\d*)?|\.\d+)",
    "xs:dateTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*",
}


class Schema:
    """A schema; `problems` says where a document is not as it says."""

    def __init__(self, path: Path) -> None:
        root = ET.parse(path).getroot()
        self._elements = {part.get("name"): part for part in root.findall(f"{XS}element")}
        self._types = {part.get("name"): part for part in root if part.tag.endswith("Type")}

    def problems(self, document: bytes) -> list[str]:
        root = ET.fromstring(document)
        if root.tag not in self._elements:
            return [f"{root.tag} is no root"]
        return list(self._element(root, self._elements[root.tag], root.tag))

    def _element(self, found: ET.Element, declared: ET.Element, path: str) -> Iterator[str]:
        kind = declared.find(f"{XS}complexType")
        kind = self._types.get(declared.get("type", "")) if kind is None else kind
        if kind is None or kind.tag == f"{XS}simpleType":
            simple = [f"{path} is text alone"] if len(found) or found.attrib else []
            yield from simple
            return
        model, attributes, text = self._complex(kind)
        yield from self._attributes(found, attributes, path)
        if not text and (found.text or "").strip():
            yield f"{path} has text"
        children = (
            {} if model is None else {self._name(one): one for one in model.iter(f"{XS}element") if one is not model}
        )
        names = "".join(f"<{child.tag}>" for child in found)
        if not re.fullmatch("" if model is None else self._content(model), names):
            yield f"{path} has the children {names}"
        for child in found:
            if child.tag in children:
                inner = children[child.tag]
                yield from self._element(
                    child, self._elements[child.tag] if inner.get("ref") else inner, f"{path}/{child.tag}"
                )

    def _complex(self, kind: ET.Element) -> tuple[ET.Element | None, list[ET.Element], bool]:
        """Content model, attributes, and whether text may stand beside the children."""
        text, content = kind.get("mixed") == "true", next((part for part in kind if part.tag.endswith("Content")), None)
        if content is None:
            model = next((part for part in kind if part.tag in (f"{XS}sequence", f"{XS}choice")), None)
            return model, kind.findall(f"{XS}attribute"), text
        extension = content.find(f"{XS}extension")
        base = self._types.get(extension.get("base"))
        own = extension.findall(f"{XS}attribute")
        if content.tag == f"{XS}simpleContent" or base is None:
            return None, own, True
        model, attributes, text = self._complex(base)
        return model, [*attributes, *own], text

    def _content(self, part: ET.Element) -> str:
        """A content model as a regular expression over ``<name>`` of each child."""
        match part.tag.removeprefix(XS):
            case "element":
                inner = re.escape(f"<{self._name(part)}>")
            case "sequence":
                inner = "".join(map(self._content, self._parts(part)))
            case "choice":
                inner = "|".join(map(self._content, self._parts(part)))
            case other:
                raise ValueError(f"a content model of {other} is not known to this checker")
        most = part.get("maxOccurs", "1")
        return f"(?:{inner}){{{part.get('minOccurs', '1')},{'' if most == 'unbounded' else most}}}"

    def _attributes(self, found: ET.Element, declared: list[ET.Element], path: str) -> Iterator[str]:
        known = {one.get("name"): one for one in declared}
        yield from (f"{path} has the attribute {name}" for name in found.attrib if name not in known)
        for name, one in known.items():
            if name not in found.attrib:
                if one.get("use") == "required":
                    yield f"{path} lacks {name}"
            elif not all(re.fullmatch(pattern, found.attrib[name].strip()) for pattern in self._patterns(one)):
                yield f"{path} has {name}={found.attrib[name]!r}"

    def _patterns(self, attribute: ET.Element) -> Iterator[str]:
        """What the text of an attribute must match."""
        named = attribute.get("type")
        simple = self._types.get(named) if named is not None else attribute.find(f"{XS}simpleType")
        if simple is None:
            yield NUMBERS.get(named, ".*(?s:.*)")
            return
        restriction = simple.find(f"{XS}restriction")
        yield NUMBERS.get(restriction.get("base"), "(?s:.*)")
        yield from (one.get("value") for one in restriction.findall(f"{XS}pattern"))
        yield from (f"(?s:.{{{one.get('value')},}})" for one in restriction.findall(f"{XS}minLength"))

    @staticmethod
    def _name(element: ET.Element) -> str:
        return element.get("ref") or element.get("name") or ""

    @staticmethod
    def _parts(model: ET.Element) -> list[ET.Element]:
        return [part for part in model if part.tag != f"{XS}annotation"]
