"""The first schema.

Revision: 0001
Follows: nothing
"""

from __future__ import annotations

import sqlite3
from typing import Any

import sqlalchemy as sa
from alembic import op

from support_copilot.storage.types import (
    BigId,
    Blob,
    Json,
    LongText,
    Moment,
    SearchedText,
    searched_string,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLE: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_engine": "InnoDB",
}
FIRST_ISSUE_NUMBER = 1001

# The text of an issue stays in its row; the search index refers to it and follows each change.
_SQLITE_SEARCH = (
    """CREATE VIRTUAL TABLE issue_search USING fts5(
        title, description, content='issues', content_rowid='id',
        tokenize='unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER issue_search_insert AFTER INSERT ON issues BEGIN
        INSERT INTO issue_search (rowid, title, description)
        VALUES (new.id, new.title, new.description);
    END""",
    """CREATE TRIGGER issue_search_delete AFTER DELETE ON issues BEGIN
        INSERT INTO issue_search (issue_search, rowid, title, description)
        VALUES ('delete', old.id, old.title, old.description);
    END""",
    """CREATE TRIGGER issue_search_update AFTER UPDATE OF title, description ON issues BEGIN
        INSERT INTO issue_search (issue_search, rowid, title, description)
        VALUES ('delete', old.id, old.title, old.description);
        INSERT INTO issue_search (rowid, title, description)
        VALUES (new.id, new.title, new.description);
    END""",
)
# What is erased leaves no words behind in the search index either; older libraries lack it.
_SECURE_DELETE = "INSERT INTO issue_search (issue_search, rank) VALUES ('secure-delete', 1)"
_SECURE_DELETE_SINCE = (3, 42)
_MYSQL_SEARCH = "CREATE FULLTEXT INDEX ix_issues_search ON issues (title, description)"


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("prefix", sa.String(length=32), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("last_used_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("secret_hash", name="uq_api_keys_secret_hash"),
        **_TABLE,
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", BigId, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
        **_TABLE,
    )
    op.create_table(
        "customers",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("total_issues", sa.Integer(), nullable=False),
        sa.Column("last_contact_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_customers"),
        sa.UniqueConstraint("email", name="uq_customers_email"),
        **_TABLE,
    )
    op.create_table(
        "events",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("issue_id", BigId, nullable=False),
        sa.Column("data", Json(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        **_TABLE,
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_created_at", "events", ["created_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.Column("key", BigId, nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("trace", Json(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        **_TABLE,
    )
    op.create_table(
        "processed_messages",
        sa.Column("message_id", BigId, autoincrement=False, nullable=False),
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("processed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "consumer", name="pk_processed_messages"),
        **_TABLE,
    )
    op.create_index(
        "ix_processed_messages_processed_at", "processed_messages", ["processed_at"], unique=False
    )
    op.create_table(
        "queue_messages",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.Column("key", BigId, nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("trace", Json(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("visible_at", sa.Double(), nullable=False),
        sa.Column("leased", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.Column("reason", LongText, nullable=True),
        sa.Column("died_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_queue_messages"),
        **_TABLE,
    )
    op.create_index(
        "ix_queue_messages_queue_dead_visible_at",
        "queue_messages",
        ["queue", "dead", "visible_at", "id"],
        unique=False,
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
        **_TABLE,
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False)
    op.create_table(
        "templates",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", LongText, nullable=False),
        sa.Column("category", sa.String(length=100), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_templates"),
        **_TABLE,
    )
    op.create_table(
        "users",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("username", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username", name="uq_users_username"),
        **_TABLE,
    )
    op.create_table(
        "issues",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("customer_id", BigId, nullable=False),
        sa.Column("title", searched_string(500), nullable=False),
        sa.Column("description", SearchedText, nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("language", sa.String(length=8), nullable=True),
        sa.Column("severity_confidence", sa.Float(), nullable=False),
        sa.Column("severity_reasons", Json(), nullable=False),
        sa.Column("severity_model_version", sa.String(length=120), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("critical_reasons", Json(), nullable=False),
        sa.Column("criticality_due_at", Moment(), nullable=True),
        sa.Column("first_response_due_at", Moment(), nullable=True),
        sa.Column("resolution_due_at", Moment(), nullable=True),
        sa.Column("first_responded_at", Moment(), nullable=True),
        sa.Column("resolved_at", Moment(), nullable=True),
        sa.Column("resolution_seconds", sa.Float(), nullable=True),
        sa.Column("assignee", sa.String(length=100), nullable=True),
        sa.Column("resolution", LongText, nullable=True),
        sa.Column("reopened_count", sa.Integer(), nullable=False),
        sa.Column("recommended_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("attention", BigId, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("severity IN ('LOW','NORMAL','HIGH')", name="ck_issues_severity"),
        sa.CheckConstraint(
            "status IN ('OPEN','IN_PROGRESS','RESOLVED','CLOSED')", name="ck_issues_status"
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_issues_customer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_issues"),
        sa.UniqueConstraint("external_id", name="uq_issues_external_id"),
        sa.UniqueConstraint("number", name="uq_issues_number"),
        **_TABLE,
    )
    op.create_index(
        "ix_issues_assignee_attention", "issues", ["assignee", "attention", "id"], unique=False
    )
    op.create_index(
        "ix_issues_assignee_created_at", "issues", ["assignee", "created_at", "id"], unique=False
    )
    op.create_index("ix_issues_attention", "issues", ["attention", "id"], unique=False)
    op.create_index("ix_issues_created_at", "issues", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_issues_critical_attention", "issues", ["critical", "attention", "id"], unique=False
    )
    op.create_index(
        "ix_issues_critical_created_at", "issues", ["critical", "created_at", "id"], unique=False
    )
    op.create_index("ix_issues_criticality_due_at", "issues", ["criticality_due_at"], unique=False)
    op.create_index(
        "ix_issues_customer_id_attention",
        "issues",
        ["customer_id", "attention", "id"],
        unique=False,
    )
    op.create_index(
        "ix_issues_customer_id_created_at",
        "issues",
        ["customer_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_issues_severity_attention", "issues", ["severity", "attention", "id"], unique=False
    )
    op.create_index(
        "ix_issues_severity_created_at", "issues", ["severity", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_issues_status_attention", "issues", ["status", "attention", "id"], unique=False
    )
    op.create_index(
        "ix_issues_status_created_at", "issues", ["status", "created_at", "id"], unique=False
    )
    op.create_table(
        "conversations",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("issue_id", BigId, nullable=False),
        sa.Column("message", LongText, nullable=False),
        sa.Column("sender_type", sa.String(length=8), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("author", sa.String(length=100), nullable=True),
        sa.CheckConstraint(
            "sender_type IN ('CUSTOMER','SUPPORT')", name="ck_conversations_sender_type"
        ),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name="fk_conversations_issue_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        **_TABLE,
    )
    op.create_index(
        "ix_conversations_issue_id_id", "conversations", ["issue_id", "id"], unique=False
    )
    op.create_table(
        "index_entries",
        sa.Column("issue_id", BigId, autoincrement=False, nullable=False),
        sa.Column("sequence", BigId, nullable=False),
        sa.Column("vector", Blob, nullable=False),
        sa.Column("terms", Blob, nullable=False),
        sa.Column("fingerprint", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name="fk_index_entries_issue_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issue_id", name="pk_index_entries"),
        sa.UniqueConstraint("sequence", name="uq_index_entries_sequence"),
        **_TABLE,
    )
    op.create_table(
        "intakes",
        sa.Column("issue_id", BigId, autoincrement=False, nullable=False),
        sa.Column("customer_id", BigId, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("response", Blob, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=320), nullable=True),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name="fk_intakes_issue_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issue_id", name="pk_intakes"),
        sa.UniqueConstraint("external_id", name="uq_intakes_external_id"),
        sa.UniqueConstraint("idempotency_key", name="uq_intakes_idempotency_key"),
        **_TABLE,
    )
    op.create_table(
        "labels",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("issue_id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("judged", sa.String(length=64), nullable=False),
        sa.Column("corrected", sa.String(length=64), nullable=False),
        sa.Column("reason", LongText, nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("model_version", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name="fk_labels_issue_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        **_TABLE,
    )
    op.create_index("ix_labels_issue_id", "labels", ["issue_id"], unique=False)
    op.create_index("ix_labels_kind_id", "labels", ["kind", "id"], unique=False)
    op.create_table(
        "notifications",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("issue_id", BigId, nullable=False),
        sa.Column("title", sa.String(length=600), nullable=False),
        sa.Column("text", LongText, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("read_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name="fk_notifications_issue_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        **_TABLE,
    )
    op.create_index("ix_notifications_issue_id", "notifications", ["issue_id"], unique=False)
    op.create_table(
        "recommendations",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("issue_id", BigId, nullable=False),
        sa.Column("template_text", LongText, nullable=False),
        sa.Column("confidence_score", sa.Numeric(3, 2, asdecimal=False), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("sources", Json(), nullable=False),
        sa.Column("model_version", sa.String(length=120), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("final_text", LongText, nullable=True),
        sa.Column("reason", LongText, nullable=True),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name="fk_recommendations_issue_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_recommendations"),
        **_TABLE,
    )
    op.create_index(
        "ix_recommendations_issue_id_created_at",
        "recommendations",
        ["issue_id", "created_at", "rank"],
        unique=False,
    )
    op.create_table(
        "summaries",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("issue_id", BigId, nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("model_version", sa.String(length=120), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name="fk_summaries_issue_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_summaries"),
        **_TABLE,
    )
    op.create_index("ix_summaries_issue_id_id", "summaries", ["issue_id", "id"], unique=False)

    op.bulk_insert(
        sa.table("counters", sa.column("name", sa.String), sa.column("value", sa.BigInteger)),
        [
            {"name": "issue_number", "value": FIRST_ISSUE_NUMBER - 1},
            {"name": "index_sequence", "value": 0},
        ],
    )
    if op.get_bind().dialect.name != "sqlite":
        op.execute(_MYSQL_SEARCH)
        return
    for statement in _SQLITE_SEARCH:
        op.execute(statement)
    if sqlite3.sqlite_version_info >= _SECURE_DELETE_SINCE:
        op.execute(_SECURE_DELETE)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE issue_search")
    for table in (
        "summaries",
        "recommendations",
        "notifications",
        "labels",
        "intakes",
        "index_entries",
        "conversations",
        "issues",
        "users",
        "templates",
        "sessions",
        "queue_messages",
        "processed_messages",
        "outbox",
        "events",
        "customers",
        "counters",
        "api_keys",
    ):
        op.drop_table(table)
