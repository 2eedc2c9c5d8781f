"""Give tablets to people: an officer or administrator makes a code, the tablet turns it into an identity. Read by officers and tablets."""

import base64
import io
from typing import Any

import segno
from flask import request

from service.routes.nouns import PUBLIC, Noun, actor, gridtrail
from service.schemas.sync import Enrolled, Enrolling, EnrolmentCode, NewCode
from service.sync.enrolment import Code

blueprint = Noun("enrolment", __name__, url_prefix="/v1", description="Enrolment of tablets.")


@blueprint.operation("POST", "/enrolment-codes", policy="tablet.enrol", body=NewCode, answers=(201, EnrolmentCode), errors=(404, 409))
def make_enrolment_code(body: dict[str, Any]) -> Any:
    """Make a one-time code with which a person's tablet enrols itself. Also as a QR code."""
    code = gridtrail().enrolment.make_code(actor(), str(body["person"]), body.get("area"))
    drawn = {"qr_png": base64.b64encode(qr_png(code.url)).decode(), "qr": qr_rows(code.url)}
    return {name: getattr(code, name) for name in Code.__slots__} | drawn


@blueprint.operation("POST", "/tablets/enrolments", policy=PUBLIC, body=Enrolling, answers=(201, Enrolled), errors=(404, 409, 410, 429))
def enrol_tablet(body: dict[str, Any]) -> Any:
    """Enrol a tablet: a code, a public key, and the proof that the tablet holds the private one."""
    return gridtrail().enrolment.enrol(
        body["code"],
        body["public_key"],
        body["proof"],
        body.get("label"),
        algorithm=body["algorithm"],
        address=request.remote_addr or "",
    )


def qr_png(text: str) -> bytes:
    """A QR code as a PNG image."""
    image = io.BytesIO()
    segno.make(text, error="m").save(image, kind="png", scale=6)
    return image.getvalue()


def qr_rows(text: str) -> list[str]:
    """The same QR code as rows of 0 and 1, without the light border that is drawn around it: for a page that draws it at any size."""
    return ["".join(map(str, row)) for row in segno.make(text, error="m").matrix]
