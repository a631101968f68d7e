"""Opens office files, which are ZIP archives of XML, within limits: nothing is unpacked before its size is known."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from ingest.options import MIB, ReadOptions
from rag.types import Status

OLE_HEADER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""A compound file; as an OOXML file it is one that was encrypted, else the older binary format under a new name."""
DAMAGED_PARTS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
"""What reading a part of a damaged archive raises."""
_MOST_ENTRIES = 20_000
_EXPANSION = 100
"""Times that a large part may grow when it is unpacked. XML seldom grows thirtyfold, a bomb a thousandfold."""
_MATTERS = 20 * MIB
_MEMORY_SHARE = 4
"""XML takes several times its size as a tree, so that the parts together may take this part of the memory limit."""
_PROLOGUE = 4096


class ArchiveNotReadable(ValueError):
    """A file that is not read, with the status that says why."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def open_archive(path: Path, kind: str, options: ReadOptions) -> zipfile.ZipFile:
    """The archive of an office file, checked; `kind` names it in the reason ("Word").

    Raises ArchiveNotReadable: encrypted, too large when unpacked, damaged, or with a document type in its XML, by
    which a file could pull in others; OSError.
    """
    with path.open("rb") as file:
        begins = file.read(len(OLE_HEADER))
    if begins == OLE_HEADER:
        raise ArchiveNotReadable(
            Status.ENCRYPTED, f"encrypted, or an older {kind} file: save it without a password"
        )
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ArchiveNotReadable(Status.DAMAGED, f"not a file of {kind}, or a damaged one") from error
    try:
        _check(archive, options)
    except DAMAGED_PARTS as error:
        archive.close()
        raise ArchiveNotReadable(Status.DAMAGED, f"not a file of {kind}, or a damaged one") from error
    except BaseException:
        archive.close()
        raise
    return archive


def _check(archive: zipfile.ZipFile, options: ReadOptions) -> None:
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries if _is_xml(entry.filename))
    grown = any(e.file_size > max(_MATTERS, _EXPANSION * e.compress_size) for e in entries)
    if len(entries) > _MOST_ENTRIES or unpacked > options.memory_mib * MIB // _MEMORY_SHARE or grown:
        raise ArchiveNotReadable(Status.TOO_LARGE, "too large when it is unpacked")
    for entry in entries:
        if entry.flag_bits & 1:
            raise ArchiveNotReadable(Status.ENCRYPTED, "encrypted: save it without a password")
        if _is_xml(entry.filename):
            with archive.open(entry) as part:
                prologue = part.read(_PROLOGUE).replace(b"\0", b"")
            if b"<!DOCTYPE" in prologue or b"<!ENTITY" in prologue:
                raise ArchiveNotReadable(
                    Status.DAMAGED, "its XML declares a document type, which office files never do"
                )


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels", ".hpf", ".vml"))


def parse_xml(stream: BinaryIO) -> Any:
    """The root element of an XML part: no entities, no network, no deep nesting (256 levels, libxml2's limit).

    Raises ValueError when it is not XML.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        return etree.parse(stream, parser).getroot()
    except etree.XMLSyntaxError as error:
        raise ValueError("its XML is damaged") from error


def local(element: Any) -> str:
    """The name of an element without its namespace, which differs between versions of a format."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def stated(properties: Any, author: str | None) -> tuple[str, str, str]:
    """Title, author and creation date by the core properties; empty where they state none that can be read."""
    try:
        created = properties.created.date().isoformat() if properties.created else ""
    except ValueError:
        created = ""
    return properties.title or "", author or "", created
