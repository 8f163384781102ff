"""What Schemathesis has to know about keyfob beyond the OpenAPI document."""

import json
import re

import schemathesis
from schemathesis.generation import GenerationMode

# The codes of refusals for the shape of a request. What the schema accepts is never refused so.
SHAPE = {
    "invalid_json",
    "invalid_query",
    "unknown_parameter",
    "invalid_parameter",
    "unsupported_media_type",
}


@schemathesis.check
def rejected_for_its_meaning(ctx, response, case):
    """A request that follows the document is refused for its meaning at most."""
    is_valid = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    if not is_valid or response.status_code != 400:
        return
    try:
        problem = response.json()
    except ValueError:
        raise AssertionError("a refusal is not JSON") from None
    # A pattern cannot say that a duration is too short or too long.
    is_beyond = "is out of range" in problem.get("detail", "")
    # A schema takes 2.0 for a whole number, the server does not.
    is_fraction = re.search(r"expected u(8|16|32|64)\b", problem.get("detail", "")) is not None
    if problem.get("code") in SHAPE and not is_beyond and not is_fraction:
        raise AssertionError(f"the document accepts it, the server does not: {response.text}")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Revokes everything as a dry run only: the run needs its own key."""
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("target"), dict) and "all" in body["target"]:
        body["dry_run"] = True


@schemathesis.deserializer("application/x-ndjson")
def lines(context, response):
    """Each line of a stream of progress is a value of its own: the last one stands for them."""
    return json.loads(response.content.splitlines()[-1])
