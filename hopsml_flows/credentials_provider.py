"""Temporary AWS credentials, named as in ``hops.credentials_provider``.

HopsML asked Hopsworks for them; here AWS' Security Token Service is asked directly, as botocore
finds it: with the credentials, region and endpoint of the environment, a profile or the machine.
"""

from __future__ import annotations

import os
from uuid import uuid4

from hopsml_flows.errors import InvalidArgumentError, UnsupportedOperationError
from hopsml_flows.execution.assumed_role import AssumedRole, Credentials
from hopsml_flows.values.arguments import whole_number

__all__ = ["assume_role", "get_role", "get_roles"]

ROLE_VARIABLE = "AWS_ROLE_ARN"
"""Names the default role, as AWS' own tools have it."""

_SHORTEST, _LONGEST = 900, 43_200


def assume_role(
    role_arn: str | None = None,
    role_session_name: str | None = None,
    duration_seconds: int = 3600,
) -> Credentials:
    """Assume a role, and set AWS' environment variables to its temporary credentials.

    S3 is read and written with them by this process, and by the trials of the experiments that
    follow, on every worker. They are renewed before they expire, in running trials too, as long as
    this process runs and its program sets no other credentials. Libraries that have opened a
    connection to S3 keep the credentials which they opened it with.

    Args:
        role_arn: The role, such as ``arn:aws:iam::123456789012:role/analyst``; None for the one
            that ``AWS_ROLE_ARN`` names.
        role_session_name: Name that AWS' logs show; None for one that is drawn.
        duration_seconds: How long credentials hold, from 900 to what the role allows.

    Returns:
        A dict with ``accessKeyId``, ``secretAccessKey`` and ``sessionToken``, which is printed
        without its secrets.

    Raises:
        InvalidArgumentError: An argument is wrong, or there is no default role.
        CredentialsError: AWS refuses or does not answer, or there is no identity to ask with.
    """
    role = get_role() if role_arn is None else role_arn
    if not isinstance(role, str) or not role.startswith("arn:"):
        raise InvalidArgumentError(
            "role_arn", role, "must be like arn:aws:iam::<account>:role/<name>"
        )
    session = f"hopsml-{uuid4().hex[:12]}" if role_session_name is None else role_session_name
    if not isinstance(session, str) or not 2 <= len(session.strip()) <= 64:
        raise InvalidArgumentError("role_session_name", session, "must have 2 to 64 characters")
    seconds = whole_number("duration_seconds", duration_seconds, least=_SHORTEST, most=_LONGEST)
    return AssumedRole(role, session.strip(), seconds).used()


def get_role(role_id: str | int = "default") -> str:
    """The default role.

    Args:
        role_id: ``"default"``: only Hopsworks numbers roles.

    Raises:
        InvalidArgumentError: There is none.
        UnsupportedOperationError: It has a number.
    """
    if role_id != "default":
        raise UnsupportedOperationError(
            "credentials_provider.get_role: only Hopsworks numbers roles; write the role's ARN"
        )
    role = os.environ.get(ROLE_VARIABLE)
    if not role:
        raise InvalidArgumentError(
            "role_arn", None, f"must be given where {ROLE_VARIABLE} is not in the environment"
        )
    return role


def get_roles() -> list[str]:
    """The roles that are known here: the default one, if there is one."""
    role = os.environ.get(ROLE_VARIABLE)
    return [role] if role else []
