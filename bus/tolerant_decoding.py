"""One foreign message must not end the connection of a whole host.

pamqp raises inside the reader of aiormq on a property that Python cannot hold: a timestamp beyond the year 9999, a text
that is not UTF-8, a header table with such a key. The connection dies, comes back, is given the same message again, and
so on for ever. Here such a value is read as absent or with replacement characters, and the message goes its way to a
result. Seen with pamqp 4.0.1.
"""

from datetime import datetime
from typing import Any

from pamqp import decode, encode
from pamqp.common import FieldTable

_timestamp, _table, _value = decode.timestamp, decode.field_table, encode.encode_table_value


def tolerant_timestamp(value: bytes) -> tuple[int, datetime | None]:
    """Decode a timestamp; one that no datetime can hold is None."""
    try:
        return _timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, None


def tolerant_short_text(value: bytes) -> tuple[int, str]:
    """Decode a short string; bytes that are not UTF-8 become replacement characters, cut to what fits again."""
    end = value[0] + 1
    text = value[1:end].decode(errors="replace")
    return end, text.encode()[:255].decode(errors="ignore")


def tolerant_table(value: bytes) -> tuple[int, FieldTable]:
    """Decode a table of headers; one that cannot be read is empty."""
    try:
        return _table(value)
    except (ValueError, OverflowError, OSError, TypeError, RecursionError, KeyError):
        return 4 + int.from_bytes(value[:4], "big"), {}


def exact_value(value: Any) -> bytes:
    """Encode one value of a table or list; a float in double precision."""
    return b"d" + encode.double(value) if isinstance(value, float) else _value(value)


def install() -> None:
    """Have pamqp use these in this process. May be called again."""
    decode.METHODS |= {
        "timestamp": tolerant_timestamp,
        "shortstr": tolerant_short_text,
        "table": tolerant_table,
    }
    decode.TABLE_MAPPING |= {b"T": tolerant_timestamp, b"F": tolerant_table}
    encode.encode_table_value = exact_value
