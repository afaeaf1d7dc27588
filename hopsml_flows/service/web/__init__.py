"""The pages of the Experiments service, made on the server: ``hopsml ui``.

:func:`~hopsml_flows.service.web.application.experiments_app` is the ASGI application. It reads the
project through the index. ``views`` decides what pages show and is pure; ``handlers`` answers
requests; ``templates`` and ``assets`` hold what browsers get. No asset comes from another server.
"""

from hopsml_flows.service.web.application import experiments_app

__all__ = ["experiments_app"]
