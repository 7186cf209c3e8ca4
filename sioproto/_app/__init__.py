"""The application API, written once over a runtime of four calls.

What users see of it is in :mod:`sioproto.trio`. A runtime lends four calls (:class:`Runtime`),
hands the effects of the core to its transports and the events to the application.
"""
