"""What is the same for everybody: the OpenAPI document, its pages and what they need, each made once at the start."""

import mimetypes
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import fastapi_offline
import msgspec
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html

from exchange.gateway.rest.openapi import TITLE, build
from exchange.gateway.rest.operations import Answer, Operation

#: A document counts as one request more for each so many bytes of it.
BYTES_PER_REQUEST: Final = 16 * 1024
#: How long a client may show what it has without asking again.
KEEP_S: Final = 300

_OPENAPI: Final = "/openapi.json"
_STATIC: Final = "/static-offline-docs"


class Document(msgspec.Struct, frozen=True):
    """Bytes that don't change while the process runs; `tag` says which they are."""

    body: bytes
    media_type: str
    tag: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "Document":
        return cls(body, media_type, f'"{blake2b(body, digest_size=16).hexdigest()}"')

    @property
    def requests(self) -> int:
        """As how many requests it counts."""
        return 1 + len(self.body) // BYTES_PER_REQUEST

    def answer(self, *, known: bool) -> Answer:
        """The document, or that it is still what the client has."""
        headers = (
            ("ETag", self.tag),
            ("Cache-Control", f"public, max-age={KEEP_S}"),
            ("Access-Control-Allow-Origin", "*"),
        )
        return Answer(304, headers=headers) if known else Answer(200, self.body, self.media_type, headers)


def documents(operations: Sequence[Operation]) -> dict[str, Document]:
    """By path."""
    pages = {
        "/docs": get_swagger_ui_html(
            openapi_url=_OPENAPI,
            title=f"{TITLE} - Swagger UI",
            swagger_js_url=f"{_STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{_STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{_STATIC}/favicon.png",
        ),
        "/redoc": get_redoc_html(
            openapi_url=_OPENAPI,
            title=f"{TITLE} - ReDoc",
            redoc_js_url=f"{_STATIC}/redoc.standalone.js",
            redoc_favicon_url=f"{_STATIC}/favicon.png",
            with_google_fonts=False,
        ),
    }
    folder = Path(fastapi_offline.__file__).parent / "static"
    return {
        _OPENAPI: Document.of(msgspec.json.encode(build(operations)), "application/json"),
        **{path: Document.of(bytes(page.body), "text/html; charset=utf-8") for path, page in pages.items()},
        **{
            f"{_STATIC}/{file.name}": Document.of(
                file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            )
            for file in sorted(folder.iterdir())
            if file.is_file()
        },
    }
