"""What the targets for packets of Socket.IO have in common."""

from __future__ import annotations

from fuzzing import plain_socket
from sioproto.socketio import MISSING, Packet

EXAMPLES = (
    *("0", "0/admin,", "0/admin", '0{"token":"123"}', '0/admin,{"sid":"x"}', "0/", "0/,", "0//,"),
    *("1", "1/admin,", "1/custom", "10", "1{}", "1null"),
    *('2["a"]', '2/admin,456["x",1,null,true,{"k":[]}]', '20["x"]', '2007["ack"]', '2[7,"x"]'),
    *('2["€😀\\u001e\\ud834\\udd1e"]', '2["\\ud800"]', '2/a["b"]', '2 ["a"]', '2["a"]x', '2["a"] '),
    *("2", "21", "2[]", "2{}", '2"a"', '2["a"', "2[true]", "2[null]", "2[{}]", '2[["a"]]'),
    *('2["connect"]', '2["connection"]', '2["newListener"]', "2[1.5]", "2[1e400]", "2[NaN]"),
    *(
        "2[-Infinity]",
        '2["a",-0.0,1e5,12345678901234567890]',
        '2-1["a"]',
        '21.5["a"]',
        '20x1F["a"]',
    ),
    *('29007199254740991["a"]', '29007199254740992["a"]', '2٣["a"]', '21_0["a"]', '2+1["a"]'),
    *('2["__proto__",{"__proto__":{"x":1},"a":1,"a":2}]', "2['a']", '2["a"/*c*/]', '2["a\tb"]'),
    *("3[]", '3/admin,456["ok"]', '30["connect"]', "3", "30", "3{}", '13["a"]'),
    *('4{"message":"no"}', '4/x,{"message":"no","data":{"a":1}}', '4"nope"', "4", "4[]", "4null"),
    *('51-["a",{"_placeholder":true,"num":0}]', '52-/admin,13["x",{"_placeholder":true,"num":1}]'),
    *(
        '50-["a"]',
        '500-["a"]',
        '501-["a"]',
        '511-["a"]',
        '510-["a"]',
        '5-["a"]',
        '5["a"]',
        "5",
        "51",
    ),
    *('5-1-["a"]', '51.0-["a"]', '51e0-["a"]', '5٣-["a"]', '51_0-["a"]', '5 1-["a"]', '5+1-["a"]'),
    *(
        '51-["connect"]',
        "51-{}",
        '51-[{"_placeholder":true,"num":0}]',
        "61-[]",
        '61-15["b"]',
        "60-[]",
    ),
    *("", "7", "abc", " ", "٠", "999", "0foo", "0,", "0[]", '0"x"', "0null", "0true", '012{"a":1}'),
    *(
        '0/foo?a=b,{"a":1}',
        "0/a b\n,",
        '2["a",[[[[[]]]]]]',
        '2["a","\\x"]',
        '2["a",01]',
        '2["a",1.]',
    ),
)


def plain_form(packet: Packet | Exception | None) -> plain_socket.Packet | Exception | None:
    """A packet of the library, as plain decoders have it."""
    if not isinstance(packet, Packet):
        return packet
    data = plain_socket.NOTHING if packet.data is MISSING else packet.data
    return plain_socket.Packet(int(packet.type), packet.namespace, packet.id, data)


def parts(packet: plain_socket.Packet | Exception | None) -> object:
    """A packet as something that can be compared."""
    if not isinstance(packet, plain_socket.Packet):
        return packet
    return (packet.type, packet.namespace, packet.id, packet.data)


NESTED = {
    "nested arrays": lambda size: b'2["a",' + b"[" * (size // 2) + b"]" * (size // 2) + b"]",
    "nested objects": lambda size: (
        b'2["a",' + b'{"":' * (size // 5) + b"0" + b"}" * (size // 5) + b"]"
    ),
    "open arrays": lambda size: b"2" + b"[" * size,
    "shallow arrays": lambda size: (b'2["a"' + b",[[[[[[[[]]]]]]]]" * (size // 17)) + b"]",
}
WORST_TEXTS = {
    **NESTED,
    "a huge number": lambda size: b'2["a",' + b"9" * size + b"]",
    "a huge fraction": lambda size: b'2["a",0.' + b"9" * size + b"]",
    "a huge exponent": lambda size: b'2["a",1e-' + b"9" * size + b"]",
    "numbers": lambda size: b'2["a"' + b",1" * (size // 2) + b"]",
    "numbers of 4000 digits": lambda size: b'2["a"' + (b"," + b"9" * 4000) * (size // 4001) + b"]",
    "a long id": lambda size: b"2" + b"9" * size + b'["a"]',
    "zeros before the id": lambda size: b"2" + b"0" * size + b'["a"]',
    "a long count": lambda size: b"5" + b"9" * size + b"-[]",
    "zeros before the count": lambda size: b"5" + b"0" * size + b'1-["a"]',
    "a count without dash": lambda size: b"5" + b"1" * size,
    "a long namespace": lambda size: b"2/" + b"x" * size + b',["a"]',
    "a namespace without end": lambda size: b"2/" + b"/" * size,
    "slashes and digits": lambda size: b"2/" + b"1/" * (size // 2),
    "a long string": lambda size: b'2["' + b"x" * size + b'"]',
    "escapes": lambda size: b'2["' + b"\\u0041" * (size // 6) + b'"]',
    "surrogates escaped": lambda size: b'2["' + b"\\ud800" * (size // 6) + b'"]',
    "surrogates": lambda size: b'2["' + b"\xed\xa0\x80" * (size // 3) + b'"]',
    "overlong": lambda size: b'2["' + b"\xc0\x80" * (size // 2) + b'"]',
    "one key": lambda size: b'2["a",{' + b'"k":1,' * (size // 6) + b'"k":1}]',
    "many keys": lambda size: (
        b'2["a",{' + b",".join(b'"%d":1' % number for number in range(size // 9)) + b"}]"
    ),
    "blanks": lambda size: b'2["a"' + b" " * size + b"]",
    "nothing behind the id": lambda size: b"2" + b"1" * 10 + b" " * size,
}
