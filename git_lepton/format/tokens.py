"""A token as people and machines write it down: in variables, files, answers of other programs."""

from __future__ import annotations


def clean_token(text: str) -> str:
    """The token without what comes along at its ends (line ends of `echo` and of Windows, blanks, a byte order mark); may be "".

    Raises ValueError, whose words do not hold the token, for what no request can carry: anything but one word of ASCII.
    """
    token = text.strip().strip("\ufeff").strip()
    if not all("!" <= character <= "~" for character in token):
        raise ValueError("holds white space or characters that no token has")
    return token
