"""The first sheet of an XLSX workbook as rows of text, with strict limits: it comes from outside. Read by service.imports.table.

Only what a table of texts needs is read (ECMA-376): the order of the sheets, the shared texts, and the cells. A workbook is a ZIP: what
it says of its sizes is not believed, each part is read up to a limit. XML with a document type is refused, so that no entity grows.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

from service.imports.flaws import UnreadableFile

MOST_BYTES = 20_000_000
"""Of one part, inflated."""
MOST_COLUMNS = 100
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"
CELL = re.compile(r"([A-Z]{1,3})[1-9][0-9]{0,6}", re.ASCII)
WHOLE = re.compile(r"(-?\d+)\.0+", re.ASCII)


def read_sheet(name: str, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet: number in the sheet, and cells as text. UnreadableFile where it is no workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            texts = _shared(archive)
            sheet = _xml(_part(archive, _first_sheet(archive)))
            yield from _rows(sheet, texts)
    except (zipfile.BadZipFile, KeyError, IndexError, ValueError, EOFError, RuntimeError, ElementTree.ParseError) as wrong:
        raise UnreadableFile(f"{name}: not an XLSX workbook: {wrong}.") from wrong


def _part(archive: zipfile.ZipFile, path: str) -> bytes:
    with archive.open(path) as part:
        content = part.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{path} has more than {MOST_BYTES} bytes")
    return content


def _xml(content: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("its XML has a document type, or is not UTF-8")
    return ElementTree.fromstring(content)


def _first_sheet(archive: zipfile.ZipFile) -> str:
    """Where the first sheet lies: the workbook names it by a relation."""
    first = _xml(_part(archive, "xl/workbook.xml")).find(f"{MAIN}sheets/{MAIN}sheet")
    if first is None:
        raise ValueError("there is no sheet")
    for relation in _xml(_part(archive, "xl/_rels/workbook.xml.rels")).iter(f"{PACKAGE}Relationship"):
        if relation.get("Id") == first.get(RELATION):
            target = relation.get("Target", "")
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    raise ValueError("the first sheet is not there")


def _shared(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    return [_said(each) for each in _xml(_part(archive, "xl/sharedStrings.xml")).iter(f"{MAIN}si")]


def _said(element: ElementTree.Element) -> str:
    """The text of a shared string or an inline one: its runs, without what is said of its sound (rPh)."""
    own = [each.text or "" for each in element.findall(f"{MAIN}t")]
    return "".join([*own, *(run.text or "" for run in element.findall(f"{MAIN}r/{MAIN}t"))])


def _rows(sheet: ElementTree.Element, texts: list[str]) -> Iterator[tuple[int, list[str]]]:
    number = 0
    width = 0
    for row in sheet.iter(f"{MAIN}row"):
        number = int(row.get("r", number + 1))
        cells: dict[int, str] = {}
        for at, cell in enumerate(row.findall(f"{MAIN}c")):
            cells[_column(cell.get("r"), at)] = _value(cell, texts)
        # The header decides how wide the table is; cells that Excel left out are empty.
        width = width or max(cells, default=-1) + 1
        yield number, [cells.get(at, "") for at in range(max(width, max((at for at in cells if cells[at]), default=-1) + 1))]


def _column(reference: str | None, at: int) -> int:
    match = CELL.fullmatch(reference) if reference else None
    column = at
    if match:
        column = 0
        for letter in match[1]:
            column = column * 26 + ord(letter) - ord("A") + 1
        column -= 1
    if column >= MOST_COLUMNS:
        raise ValueError(f"a row has more than {MOST_COLUMNS} columns")
    return column


def _value(cell: ElementTree.Element, texts: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        inline = cell.find(f"{MAIN}is")
        return _said(inline) if inline is not None else ""
    said = cell.findtext(f"{MAIN}v") or ""
    if kind == "s":
        return texts[int(said)] if said else ""
    # A code that was typed as a number: 411502001, or 4.11502001001E11.
    return _number(said) if kind == "n" and said else said


def _number(said: str) -> str:
    whole = WHOLE.fullmatch(said)
    if whole:
        return whole[1]
    value = float(said)
    return str(int(value)) if "e" in said.lower() and value.is_integer() and abs(value) < 1e15 else said
