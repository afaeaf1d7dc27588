"""Temporary AWS credentials, named as in ``hops.credentials_provider``.

HopsML asked Hopsworks for them. This module asks AWS' Security Token Service directly, with the
credentials, region and endpoint that botocore finds in the environment, a profile or the machine.
"""

from __future__ import annotations

import os
from uuid import uuid4

from hopsml_flows.errors import InvalidArgumentError, UnsupportedOperationError
from hopsml_flows.execution.assumed_role import AssumedRole, Credentials
from hopsml_flows.values.arguments import whole_number

__all__ = ["assume_role", "get_role", "get_roles"]

ROLE_VARIABLE = "AWS_ROLE_ARN"
"""Environment variable that names the default role, as for AWS' own tools."""

_SHORTEST, _LONGEST = 900, 43_200


def assume_role(
    role_arn: str | None = None,
    role_session_name: str | None = None,
    duration_seconds: int = 3600,
) -> Credentials:
    """Assume a role, and set AWS' environment variables to its temporary credentials.

    This process uses them on S3, and so do the trials of all later experiments, on every worker.
    They are renewed before they expire, also in running trials, while this process runs and its
    program sets no other credentials. A library that has opened a connection to S3 keeps the
    credentials that it used.

    Args:
        role_arn: The role, such as ``arn:aws:iam::123456789012:role/analyst``; None for the role
            in ``AWS_ROLE_ARN``.
        role_session_name: Name in AWS' logs, of 2 to 64 characters; None for a random one.
        duration_seconds: Lifetime of the credentials, from 900 to the role's maximum, at most
            43,200.

    Returns:
        A dict with ``accessKeyId``, ``secretAccessKey`` and ``sessionToken``. Its ``repr`` hides
        the secrets.

    Raises:
        InvalidArgumentError: An argument is wrong, or there is no default role.
        CredentialsError: AWS refuses or does not answer, or botocore finds no credentials to ask
            with.
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
    return AssumedRole(role, session.strip(), seconds).use()


def get_role(role_id: str | int = "default") -> str:
    """Return the ARN of the default role.

    Args:
        role_id: ``"default"``; only Hopsworks numbers roles.

    Raises:
        InvalidArgumentError: ``AWS_ROLE_ARN`` is not set.
        UnsupportedOperationError: ``role_id`` is not ``"default"``.
    """
    if role_id != "default":
        raise UnsupportedOperationError(
            "credentials_provider.get_role: only Hopsworks numbers roles; use the role's ARN"
        )
    role = os.environ.get(ROLE_VARIABLE)
    if not role:
        raise InvalidArgumentError(
            "role_arn", None, f"must be given where {ROLE_VARIABLE} is not in the environment"
        )
    return role


def get_roles() -> list[str]:
    """Return the known roles: the default role's ARN, if ``AWS_ROLE_ARN`` is set."""
    role = os.environ.get(ROLE_VARIABLE)
    return [role] if role else []
