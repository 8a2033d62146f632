import pytest

from support_copilot.gateway.openapi import merge_openapi


def document(path: str, schema: dict[str, str]) -> dict[str, object]:
    operation = {"responses": {"200": {"description": "Fine"}}}
    return {"paths": {path: {"get": operation}}, "components": {"schemas": {"Thing": schema}}}


def merge(*documents):
    return merge_openapi("t", "1", documents, lambda _path: False)


def test_equal_components_are_shared():
    merged = merge(document("/v1/a", {"type": "string"}), document("/v1/b", {"type": "string"}))
    assert list(merged["paths"]) == ["/v1/a", "/v1/b"]
    assert merged["components"]["schemas"] == {"Thing": {"type": "string"}}


def test_contradictions_are_errors():
    with pytest.raises(ValueError, match="schemas/Thing"):
        merge(document("/v1/a", {"type": "string"}), document("/v1/b", {"type": "object"}))
    with pytest.raises(ValueError, match="/v1/a"):
        merge(document("/v1/a", {"type": "string"}), document("/v1/a", {"type": "string"}))


def test_pages_are_not_part_of_the_api():
    assert merge(document("/inbox", {"type": "string"}))["paths"] == {}
