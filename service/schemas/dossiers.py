"""Dossiers on the wire: what a request for one may say."""

import marshmallow as ma

from service.schemas.fields import flag


class DossierQuery(ma.Schema):
    """Whether personal values are opened, and whether pictures are brought."""

    personal = flag(load_default=False)
    photos = flag(load_default=True)
