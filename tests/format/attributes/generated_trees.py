"""Attribute files such as people write, and such as only an enemy or a bad day would, with paths that they may concern."""

from __future__ import annotations

from random import Random

NAMES = [b"filter", b"text", b"weights", b"binary"]
_WORDS = [
    b"a",
    b"b",
    b"A",
    b"w",
    b"ab",
    b"abb",
    b"x y",
    b"[",
    b"]",
    b"!",
    b"#",
    b"-",
    b"\\",
    b"*",
    b"?",
    b'"',
    b"\t",
    b"\xff",
    b"\xc3\xbc",
]
_COMMON = [b"a.bin", b"A.BIN", b"b", b"w.bin", b"ab", b"aab", b"abab", b"model.safetensors"]
_STARS = [b"*", b"**", b"***", b"/", b"/**/", b"**/", b"/**", b"/*/", b"?", b"*.bin", b"*.BIN", b"a", b"b", b"A", b"ab", b".bin"]
_BRACKETS = [
    b"[a-c]", b"[!a]", b"[^ab]", b"[]a]", b"[a", b"[[:alpha:]]", b"[[:upper:]]", b"[[:bad:]]", b"[[:space:]-x]", b"[A-C]", b"[\\]a]",
    b"[a\\-c]", b"[-a]", b"[a-]", b"[/]", b"[[:a]", b"[Z-a]", b"[[a]", b"\\[", b"[[:punct:]]", b"[[:cntrl:]]", b"[!-~]",
]  # fmt: skip
_ODD = [b"\\a", b"\\A", b"\\*", b"\\", b"\\/", b"!", b"#", b'"', b"\xff", b"\xc3\xbc", b"//", b"./", b"../"]
_ODD_LINES = [
    b"",
    b"  ",
    b"# a filter=lepton",
    b"  # b",
    b"[attr]",
    b"[attr]-x a",
    b"[attr]!w filter",
    b"\0",
    b"\x0b* filter=lepton",
]
_LONGEST = 2047


def some_paths(random: Random) -> tuple[list[bytes], list[bytes]]:
    """Folders (the top is the empty one; others end in a slash), and files in them."""
    names = [b"a", b"b", b"A", b"a/b", b"a/b/a", _name(random)]
    folders = [b"", *(folder + b"/" for folder in random.sample(names, 3))]
    files = {random.choice(folders) + (random.choice(_COMMON) if random.random() < 0.6 else _name(random)) for _ in range(12)}
    return folders, sorted(files)


def attribute_file(random: Random, paths: list[bytes]) -> bytes:
    """A file that may concern these paths, which are seen from its folder."""
    end = b"\r\n" if random.random() < 0.2 else b"\n"
    content = end.join(_line(random, paths) for _ in range(random.randint(2, 9))) + (end if random.random() < 0.8 else b"")
    return b"\xef\xbb\xbf" + content if random.random() < 0.1 else content


def _name(random: Random) -> bytes:
    return b"".join(random.choice(_WORDS) for _ in range(random.randint(1, 3)))


def _line(random: Random, paths: list[bytes]) -> bytes:
    chance = random.random()
    if chance < 0.05:
        return random.choice(_ODD_LINES)
    if chance < 0.2:
        start, end = random.choice([(b"[attr]", b" "), (b"[attr]", b"\t"), (b'"[attr]', b'"')])
        line = start + random.choice([b"weights", b"binary", b"filter", b" weights"]) + end
    elif chance < 0.35:
        line = _quoted(random, _pattern(random, paths)) + random.choice([b" ", b" ", b""])
    else:
        line = _pattern(random, paths) + b" "
    states = random.choice([b" ", b"  ", b"\t"]).join(_state(random) for _ in range(random.choice([0, 1, 1, 2, 3])))
    return _spoiled(random, random.choice([b"", b"", b"", b" ", b"\t"]) + line + states)


def _spoiled(random: Random, line: bytes) -> bytes:
    chance = random.random()
    if chance < 0.03:
        return line.ljust(_LONGEST + random.randint(-1, 1))
    if chance < 0.06:
        return line + b"\0 filter=lepton"
    if chance < 0.1:
        return line + b" "
    return line.replace(b" ", b"\x0c", 1) if chance < 0.12 else line


def _pattern(random: Random, paths: list[bytes]) -> bytes:
    if random.random() < 0.15:
        return b"".join(random.choice(_STARS + _BRACKETS + _ODD) for _ in range(random.randint(1, 5)))
    pattern = bytearray(random.choice(paths))
    if random.random() < 0.5:
        pattern = pattern.rpartition(b"/")[2]
    for _ in range(random.choice([0, 1, 1, 1, 2])):
        start = random.randrange(len(pattern) + 1)
        part = [b"*", b"?"] if random.random() < 0.4 else random.choice([_STARS, _STARS, _BRACKETS, _ODD])
        pattern[start : start + random.randint(0, 4)] = random.choice(part)
    return bytes(pattern)


def _quoted(random: Random, pattern: bytes) -> bytes:
    quoted = b'"'
    for byte in pattern:
        character = bytes([byte])
        if character in b'"\\':
            character = b"\\" + character
        elif byte < 32 or random.random() < 0.1:
            character = b"\\%03o" % byte
        quoted += character
    if random.random() < 0.05:
        quoted += random.choice([b"\\q", b"\\400", b"\\000", b"\\1"])
    return quoted + (b'"' if random.random() < 0.95 else b"")


def _state(random: Random) -> bytes:
    name = random.choice([*NAMES, b"filter", b"filter", b"filter", b"weights"])
    odd = [b"!%s", b"%s=", b"%s=x=y", b"-%s=x", b"!-%s", b"%s/"]
    return random.choice(odd if random.random() < 0.2 else [b"%s", b"%s=lepton", b"%s=lepton", b"-%s"]) % name
