"""The errors a user may see, and the exit code of each kind.

    LeptonError                70  our bug, if nothing more exact is raised
    +-- CheckFailed             1  a check said no
    +-- WrongUse                2  the command, a setting or a file of the user's is wrong
    +-- Inconclusive            3  a check could not decide, where that blocks
    +-- WeightsMissing          4  weights or evidence are not where they are needed
    +-- NetworkTrouble          5  network or server
    +-- NotAllowed              6  the server or a rule of trust says no
    +-- CorruptData             7  bytes are not what their name says

Subclasses live beside the code that raises them. A message is one sentence; a hint says what to do.
"""

from __future__ import annotations


class LeptonError(Exception):
    """Something went wrong that we can name. `message` is one sentence, `hint` what the user can do about it."""

    exit_code = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class CheckFailed(LeptonError):
    exit_code = 1


class WrongUse(LeptonError):
    exit_code = 2


class Inconclusive(LeptonError):
    exit_code = 3


class WeightsMissing(LeptonError):
    exit_code = 4


class NetworkTrouble(LeptonError):
    exit_code = 5


class NotAllowed(LeptonError):
    exit_code = 6


class CorruptData(LeptonError):
    exit_code = 7
