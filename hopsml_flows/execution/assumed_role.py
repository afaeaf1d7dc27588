"""A role of AWS that a driver has assumed: asking for it, and renewing it while the driver runs."""

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
"""Credentials are renewed when this share of the time that they hold is over."""

RETRY_SECONDS = 30.0
"""Pause before a renewal that failed is tried again."""

# By HopsML's names; AWS' answer has them with a capital letter.
_NAMES = {
    "accessKeyId": "AWS_ACCESS_KEY_ID",
    "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "sessionToken": "AWS_SESSION_TOKEN",
}


class Credentials(dict[str, str]):
    """Temporary credentials by HopsML's names; ``repr`` shows no secret."""

    def __repr__(self) -> str:
        return f"Credentials(accessKeyId={self['accessKeyId']!r}, …)"


class AssumedRole:
    """A role, and the identity that may assume it.

    Args:
        role: The role's ARN.
        session: Name of the session.
        seconds: How long credentials hold.

    Attributes:
        identity: The botocore session with which the role is assumed.

    Raises:
        CredentialsError: There is no identity to ask with.
    """

    def __init__(self, role: str, session: str, seconds: int) -> None:
        self._request = {
            "RoleArn": role,
            "RoleSessionName": session,
            "DurationSeconds": seconds,
        }
        self.identity = _identity()

    def used(self) -> Credentials:
        """Get credentials, use them, and renew them from now on.

        Raises:
            CredentialsError: AWS refuses, or does not answer.
        """
        global _assumed
        lent = self._asked()
        _assumed = self
        publish(lent)
        threading.Thread(
            target=self._renew, args=(lent,), name="hopsml-credentials", daemon=True
        ).start()
        return Credentials({name: lent.variables[variable] for name, variable in _NAMES.items()})

    def _asked(self) -> Lent:
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
        """Renew credentials until the program uses others."""
        began = time.time()
        warned = False
        while True:
            # In steps: a machine that slept wakes up with credentials that are about to expire.
            due = began + SHARE_OF_LIFE * (lent.until - began)
            while (left := due - time.time()) > 0:
                time.sleep(min(left, 5.0))
            if not (self is _assumed and lent.are_set):
                return
            try:
                lent = self._asked()
            except Exception as error:  # tried again until they have expired, and after that
                if not warned:
                    _logger.warning("AWS credentials were not renewed yet: %s", error)
                warned = True
                time.sleep(RETRY_SECONDS)
                continue
            began, warned = time.time(), False
            publish(lent)


_assumed: AssumedRole | None = None


def _identity() -> Any:
    """A botocore session with the identity that the program had before it assumed a role.

    A role is not assumed by itself again: AWS would refuse it, or let the chain live for an hour.
    """
    if _assumed is not None and published() is not None:
        return _assumed.identity
    import botocore.session
    from botocore.exceptions import BotoCoreError

    session = botocore.session.Session()
    try:
        # It keeps what it finds now; the environment has other credentials soon.
        found = session.get_credentials()
    except (BotoCoreError, ValueError) as error:  # such as a profile that does not exist
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
    # botocore does not read the first, which AWS' other tools do.
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    return next(filter(None, map(os.environ.get, names)), "us-east-1")
