"""The schema. The first four tables are the specification's; the rest is what they need."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
)
from sqlalchemy.schema import SchemaItem

from support_copilot.domain.customer import EMAIL_MAX, NAME_MAX
from support_copilot.domain.issue import TITLE_MAX
from support_copilot.storage.types import (
    BigId,
    Blob,
    Json,
    LongText,
    Moment,
    SearchedText,
    searched_string,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", BigId, primary_key=True, autoincrement=False)


def _table(name: str, *parts: SchemaItem) -> Table:
    return Table(
        name,
        metadata,
        *parts,
        # Ids of rows that are gone are never given again.
        sqlite_autoincrement=name == "events",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )


def _issue_id(*, unique: bool = False) -> Column[int]:
    return Column(
        "issue_id",
        BigId,
        ForeignKey("issues.id", ondelete="CASCADE"),
        nullable=False,
        unique=unique,
    )


customers = _table(
    "customers",
    _id(),
    Column("email", String(EMAIL_MAX), nullable=False, unique=True),
    Column("name", String(NAME_MAX), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("total_issues", Integer, nullable=False, default=0),
    Column("last_contact_at", Moment),
)

issues = _table(
    "issues",
    _id(),
    Column("customer_id", BigId, ForeignKey("customers.id"), nullable=False),
    Column("title", searched_string(TITLE_MAX), nullable=False),
    Column("description", SearchedText, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("number", Integer, nullable=False, unique=True),
    Column("channel", String(16), nullable=False),
    Column("external_id", String(200), unique=True),
    Column("language", String(8)),
    Column("severity_confidence", Float, nullable=False),
    Column("severity_reasons", Json, nullable=False),
    Column("severity_model_version", String(120), nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("critical_reasons", Json, nullable=False),
    Column("criticality_due_at", Moment, index=True),
    Column("first_response_due_at", Moment),
    Column("resolution_due_at", Moment),
    Column("first_responded_at", Moment),
    Column("resolved_at", Moment),
    Column("resolution_seconds", Float),
    Column("assignee", String(100)),
    Column("resolution", LongText),
    Column("reopened_count", Integer, nullable=False),
    Column("recommended_at", Moment),
    Column("ended_at", Moment),
    # What "sort by attention" sorts by; see storage/attention.py.
    Column("attention", BigId, nullable=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("severity IN ('LOW','NORMAL','HIGH')", name="severity"),
    CheckConstraint("status IN ('OPEN','IN_PROGRESS','RESOLVED','CLOSED')", name="status"),
    Index("ix_issues_attention", "attention", "id"),
    Index("ix_issues_created_at", "created_at", "id"),
    *(
        Index(f"ix_issues_{column}_{order}", column, order, "id")
        for column in ("status", "severity", "critical", "customer_id", "assignee")
        for order in ("attention", "created_at")
    ),
)

conversations = _table(
    "conversations",
    _id(),
    _issue_id(),
    Column("message", LongText, nullable=False),
    Column("sender_type", String(8), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("author", String(100)),
    CheckConstraint("sender_type IN ('CUSTOMER','SUPPORT')", name="sender_type"),
    Index("ix_conversations_issue_id_id", "issue_id", "id"),
)

recommendations = _table(
    "recommendations",
    _id(),
    _issue_id(),
    Column("template_text", LongText, nullable=False),
    Column("confidence_score", Numeric(3, 2, asdecimal=False), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("sources", Json, nullable=False),
    Column("model_version", String(120), nullable=False),
    Column("verdict", String(16)),
    Column("final_text", LongText),
    Column("reason", LongText),
    Column("decided_by", String(100)),
    Column("decided_at", Moment),
    Index("ix_recommendations_issue_id_created_at", "issue_id", "created_at", "rank"),
)

templates = _table(
    "templates",
    _id(),
    Column("title", String(200), nullable=False),
    Column("text", LongText, nullable=False),
    Column("category", String(100), nullable=False),
    Column("used", Integer, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
)

summaries = _table(
    "summaries",
    _id(),
    _issue_id(),
    Column("content", Json, nullable=False),
    Column("model_version", String(120), nullable=False),
    Column("message_count", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_summaries_issue_id_id", "issue_id", "id"),
)

labels = _table(
    "labels",
    _id(),
    _issue_id(),
    Column("kind", String(32), nullable=False),
    Column("judged", String(64), nullable=False),
    Column("corrected", String(64), nullable=False),
    Column("reason", LongText, nullable=False),
    Column("decided_by", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("model_version", String(120), nullable=False),
    Index("ix_labels_kind_id", "kind", "id"),
    Index("ix_labels_issue_id", "issue_id"),
)

index_entries = _table(
    "index_entries",
    Column(
        "issue_id",
        BigId,
        ForeignKey("issues.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("sequence", BigId, nullable=False, unique=True),
    Column("vector", Blob, nullable=False),
    Column("terms", Blob, nullable=False),
    Column("fingerprint", String(120), nullable=False),
)

intakes = _table(
    "intakes",
    Column(
        "issue_id",
        BigId,
        ForeignKey("issues.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("customer_id", BigId, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("response", Blob, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("idempotency_key", String(320), unique=True),
    Column("external_id", String(200), unique=True),
)

counters = _table(
    "counters",
    Column("name", String(64), primary_key=True),
    Column("value", BigId, nullable=False),
)

outbox = _table(
    "outbox",
    _id(),
    Column("queue", String(64), nullable=False),
    Column("body", Json, nullable=False),
    Column("key", BigId, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("trace", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
)

queue_messages = _table(
    "queue_messages",
    _id(),
    Column("queue", String(64), nullable=False),
    Column("body", Json, nullable=False),
    Column("key", BigId, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("trace", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    # Epoch seconds; a leased message becomes visible again when its lease runs out.
    Column("visible_at", Double, nullable=False),
    Column("leased", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("dead", Boolean, nullable=False),
    Column("reason", LongText),
    Column("died_at", Moment),
    Index("ix_queue_messages_queue_dead_visible_at", "queue", "dead", "visible_at", "id"),
)

processed_messages = _table(
    "processed_messages",
    Column("message_id", BigId, primary_key=True, autoincrement=False),
    Column("consumer", String(64), primary_key=True),
    Column("processed_at", Moment, nullable=False, index=True),
)

events = _table(
    "events",
    # Given by the database, so that ids grow in the order of commits on its single writer.
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("type", String(32), nullable=False),
    Column("issue_id", BigId, nullable=False),
    Column("data", Json, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
)

notifications = _table(
    "notifications",
    _id(),
    Column("kind", String(32), nullable=False),
    _issue_id(),
    Column("title", String(TITLE_MAX + 100), nullable=False),
    Column("text", LongText, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("read_at", Moment),
    Index("ix_notifications_issue_id", "issue_id"),
)

users = _table(
    "users",
    _id(),
    Column("username", String(100), nullable=False, unique=True),
    Column("name", String(NAME_MAX), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(255), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("disabled", Boolean, nullable=False, default=False),
)

api_keys = _table(
    "api_keys",
    _id(),
    Column("name", String(NAME_MAX), nullable=False),
    Column("role", String(16), nullable=False),
    Column("prefix", String(32), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("last_used_at", Moment),
)

sessions = _table(
    "sessions",
    Column("token_hash", String(64), primary_key=True),
    Column("username", String(100), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
)
