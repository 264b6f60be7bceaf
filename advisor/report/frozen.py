"""A report as JSON and back, for a snapshot: what was shown is kept, not computed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from advisor.foundation.errors import DataError
from advisor.report.document import Cover, ReportDocument

FORMAT = "report/1"  # raise the number when the document changes so that old ones can no longer be read
_REPORT = TypeAdapter(ReportDocument)


def report_to_result(document: ReportDocument) -> dict[str, Any]:
    """The document without its cover, which a snapshot keeps beside it, as JSON values; floats come back exactly."""
    kept = {field.name for field in fields(ReportDocument)} - {"cover"}
    result: dict[str, Any] = _REPORT.dump_python(document, mode="json", include=kept)
    return {"format": FORMAT, **result}


def report_from_result(result: Mapping[str, Any], cover: Cover) -> ReportDocument:
    """The document of such JSON with its cover; raises DataError where it is none that this version can read."""
    values = dict(result)
    if values.pop("format", None) != FORMAT:
        raise DataError(
            "The frozen report is not in the format {format}, the only one this version can read.", format=FORMAT
        )
    try:
        return _REPORT.validate_python({**values, "cover": cover})
    except (ValidationError, TypeError):
        raise DataError("The frozen report is damaged and cannot be shown.") from None
