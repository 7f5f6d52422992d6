"""Column types as the migrations spell them; what they mean in the running program is said in `tables`."""

from __future__ import annotations

import sqlalchemy as sa

Row = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Digest = sa.LargeBinary
Unsigned64 = sa.BigInteger
