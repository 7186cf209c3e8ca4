"""JSONP: polling by script elements and forms, for browsers that had nothing better.

The answer to a poll is a script that calls a function with the payload, and a POST is a form whose
field ``d`` is the payload.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl

from sioproto._errors import DecodeError
from sioproto.engineio._request import MAX_QUERY_FIELDS

MAX_CALLBACK_DIGITS = 10

_NEWLINE = re.compile(r"(\\?)\\n")


def callback_of(parameter: str) -> str | None:
    """The number of the callback, which is the digits of the parameter ``j`` (EIO-JP-01).

    None if there are none, or too many.
    """
    digits = "".join(character for character in parameter if character in "0123456789")
    return digits if 0 < len(digits) <= MAX_CALLBACK_DIGITS else None


def encode_script(callback: str, payload: bytes) -> bytes:
    """Make the script that hands a payload of text to its callback.

    Two separators that JSON allows and old scripts do not are escaped (EIO-JP-02).
    """
    text = json.dumps(payload.decode(), ensure_ascii=False)
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f"___eio[{callback}]({text});".encode()


def decode_post(body: bytes) -> bytes | None:
    r"""Take the payload out of a form (EIO-JP-03). None if ``d`` is missing or repeated.

    Browsers change line ends in forms, so clients write a newline as ``\n``, and a ``\n`` of their
    own as ``\\n``.

    Raises:
        DecodeError: too many fields.
    """
    try:
        fields = parse_qsl(
            body.decode(errors="replace"),
            keep_blank_values=True,
            max_num_fields=MAX_QUERY_FIELDS,
        )
    except ValueError:
        raise DecodeError(f"more than {MAX_QUERY_FIELDS} fields", rule="EIO-JP-03") from None
    values = [value for name, value in fields if name == "d"]
    if len(values) != 1:
        return None
    return _NEWLINE.sub(lambda match: "\\n" if match[1] else "\n", values[0]).encode()
