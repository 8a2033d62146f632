"""What the account routes take and give."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from support_copilot.domain.identity import Role
from support_copilot.web.fields import IdText, Text, Whole


class SignIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"username": "admin", "password": "correct horse battery"}},
    )

    username: Annotated[str, Text(100)]
    password: Annotated[str, Field(min_length=1, max_length=1024, strict=True)]


class SignedInUser(BaseModel):
    username: str
    name: str
    role: Role


class SignedIn(BaseModel):
    token: str
    expires_at: AwareDatetime
    user: SignedInUser


class Me(BaseModel):
    subject: str
    role: Role
    proof: str
    permissions: list[str]


class NewApiKey(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "shop", "role": "integration"}}
    )

    name: Annotated[str, Text(100)]
    role: Literal["executive", "lead", "admin", "integration"] = "integration"
    expires_in_days: Annotated[int, Whole(1, 3650)] | None = Field(
        default=None, description="Without it the key works until it is revoked."
    )


class ApiKeyOut(BaseModel):
    id: IdText
    name: str
    role: Role
    prefix: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    last_used_at: AwareDatetime | None


class CreatedApiKey(ApiKeyOut):
    secret: str = Field(description="Shown once; send it as Authorization: Bearer KEY.")


class ApiKeyList(BaseModel):
    items: list[ApiKeyOut]
