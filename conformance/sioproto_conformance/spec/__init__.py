"""The notes on the protocols, and what stands behind each rule.

Run it with ``python -m sioproto_conformance.spec``.

A rule climbs a ladder, and nobody says how far: it is computed. *Catalogued*: it is in the notes.
*Implemented*: the library's code names it. *Covered*: a case covers it, or a test is marked with
it. *Verified*: such a case or test ran and passed, in results that were kept. *Proven*: a server
that breaks it is caught by a case that covers it.
"""
