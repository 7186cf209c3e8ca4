"""The application API, written once over a runtime of four calls.

What users see of it is in :mod:`sioproto.trio` and :mod:`sioproto.asgi`. A runtime lends four calls
(:class:`Runtime`); an :class:`Endpoint` hands the effects of the core to the tokens that they name
and the events to the application.
"""
