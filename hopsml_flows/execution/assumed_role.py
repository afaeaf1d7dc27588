"""Assume an AWS role in the driver, and renew its credentials while the driver runs."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from hopsml_flows.errors import CredentialsError
from hopsml_flows.execution.credentials import Lent, publish, published

__all__ = ["AssumedRole", "Credentials"]

_logger = logging.getLogger(__name__)

SHARE_OF_LIFE = 0.75
"""Credentials are renewed once this share of their lifetime has passed."""

RETRY_SECONDS = 30.0
"""Pause after a failed renewal."""

# HopsML's names. In AWS' answer they begin with a capital letter.
_NAMES = {
    "accessKeyId": "AWS_ACCESS_KEY_ID",
    "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "sessionToken": "AWS_SESSION_TOKEN",
}


class Credentials(dict[str, str]):
    """Temporary credentials under HopsML's names; ``repr`` hides the secrets."""

    def __repr__(self) -> str:
        return f"Credentials(accessKeyId={self['accessKeyId']!r}, …)"


class AssumedRole:
    """An AWS role, and the identity that may assume it.

    Args:
        role: The role's ARN.
        session: Name of the session.
        seconds: Lifetime of the credentials.

    Attributes:
        identity: The botocore session that assumes the role.

    Raises:
        CredentialsError: The program has no AWS identity.
    """

    def __init__(self, role: str, session: str, seconds: int) -> None:
        self._request = {
            "RoleArn": role,
            "RoleSessionName": session,
            "DurationSeconds": seconds,
        }
        self.identity = _identity()

    def use(self) -> Credentials:
        """Assume the role, use its credentials, and renew them from now on.

        Raises:
            CredentialsError: AWS refuses, or does not answer.
        """
        global _assumed
        lent = self._request_credentials()
        _assumed = self
        publish(lent)
        threading.Thread(
            target=self._renew, args=(lent,), name="hopsml-credentials", daemon=True
        ).start()
        return Credentials({name: lent.variables[variable] for name, variable in _NAMES.items()})

    def _request_credentials(self) -> Lent:
        from botocore.exceptions import BotoCoreError, ClientError

        role = self._request["RoleArn"]
        try:
            client = self.identity.create_client("sts", region_name=_region())
            found = client.assume_role(**self._request)["Credentials"]
        # A malformed endpoint is a ValueError.
        except (BotoCoreError, ClientError, ValueError) as error:
            raise CredentialsError(
                f"{role} cannot be assumed ({type(error).__name__}: {error})"
            ) from error
        variables = {
            variable: found[name[0].upper() + name[1:]] for name, variable in _NAMES.items()
        }
        return Lent(variables, time.time(), found["Expiration"].timestamp())

    def _renew(self, lent: Lent) -> None:
        """Renew the credentials until the program uses others."""
        began = time.time()
        warned = False
        while True:
            # Sleep in steps: after a suspend of the machine the credentials may be due at once.
            due = began + SHARE_OF_LIFE * (lent.until - began)
            while (left := due - time.time()) > 0:
                time.sleep(min(left, 5.0))
            if not (self is _assumed and lent.are_set):
                return
            try:
                lent = self._request_credentials()
            except Exception as error:  # keep trying, also after they have expired
                if not warned:
                    _logger.warning(
                        "AWS credentials could not be renewed; trying again every %g s: %s",
                        RETRY_SECONDS,
                        error,
                    )
                warned = True
                time.sleep(RETRY_SECONDS)
                continue
            began, warned = time.time(), False
            publish(lent)


_assumed: AssumedRole | None = None


def _identity() -> Any:
    """A botocore session with the identity that the program had before it assumed a role.

    The assumed role itself is not used: AWS refuses that, or limits such a chain to one hour.
    """
    if _assumed is not None and published() is not None:
        return _assumed.identity
    import botocore.session
    from botocore.exceptions import BotoCoreError

    session = botocore.session.Session()
    try:
        # The session keeps what it finds now. Soon the environment holds the role's credentials.
        found = session.get_credentials()
    except (BotoCoreError, ValueError) as error:  # for example a profile that does not exist
        raise CredentialsError(
            f"no AWS credentials to assume a role with ({type(error).__name__}: {error})"
        ) from error
    if found is None:
        raise CredentialsError(
            "there are no AWS credentials to assume a role with: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    return session


def _region() -> str:
    # AWS' other tools read the first name; botocore does not.
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    return next(filter(None, map(os.environ.get, names)), "us-east-1")
