"""The signing keys on the wire."""

import marshmallow as ma


class LogKeys(ma.Schema):
    """The present key (a C2SP verifier key under the deployment's origin) and the statements that led to it."""

    origin = ma.fields.String(required=True)
    key = ma.fields.String(required=True)
    rotations = ma.fields.List(ma.fields.String(), required=True)
