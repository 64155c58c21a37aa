"""What chose the answers that a round was drawn from. Rounds made before were drawn from all of them.

Frozen: what changes later is a migration of its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("review_rounds", sa.Column("chosen", sa.Text, nullable=False, server_default=""))
