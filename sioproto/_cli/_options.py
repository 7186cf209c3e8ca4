"""Options that several commands have."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import trio

from sioproto._cli._typed import typed_pairs
from sioproto._errors import DecodeError
from sioproto._json import StrictJson
from sioproto.trio._address import Address, parse_url

INTERRUPTED = 130
"""What shells say of a program that Ctrl-C ended."""

F = TypeVar("F", bound=Callable[..., Any])


def _check_url(context: click.Context, parameter: click.Parameter, value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        address_of(url)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return url


def address_of(url: str) -> Address:
    """Take a URL apart. Raises ``ValueError``."""
    try:
        return parse_url(url)
    except UnicodeError as error:
        raise ValueError(str(error)) from None


def _check_auth(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    if value is None:
        return None
    try:
        auth = StrictJson().loads(value)
    except DecodeError as error:
        raise click.BadParameter(error.message) from None
    if not isinstance(auth, dict):
        raise click.BadParameter('a JSON object is expected, such as {"token": "t"}')
    return auth


def _check_headers(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> list[tuple[str, str]]:
    try:
        return typed_pairs(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _check_path(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value.startswith("/") or not value.isprintable() or " " in value or "?" in value:
        raise click.BadParameter("a path begins with a slash, as in /socket.io/")
    return value if value.endswith("/") else value + "/"


def server_options(function: F) -> F:
    """Where the server is, and what each request carries."""
    for decorator in reversed(
        (
            click.argument("url", callback=_check_url),
            click.option(
                "--path",
                default="/socket.io/",
                show_default=True,
                callback=_check_path,
                help="Where on the server Engine.IO answers. The path of the URL is the namespace.",
            ),
            click.option(
                "--auth",
                metavar="JSON",
                callback=_check_auth,
                help='Sent along to join the namespace, e.g. \'{"token": "t"}\'.',
            ),
            click.option(
                "-H",
                "--header",
                "headers",
                multiple=True,
                metavar="'NAME: VALUE'",
                callback=_check_headers,
                help="Goes along with each request. May be repeated.",
            ),
            click.option(
                "-k",
                "--insecure",
                is_flag=True,
                help="Accept any certificate, also that of an impostor.",
            ),
        )
    ):
        function = decorator(function)
    return function


def ssl_context(insecure: bool) -> ssl.SSLContext:
    """The context for TLS."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def run(main: Callable[[], Awaitable[int]]) -> int:
    """Run on trio. Returns the exit status, also after Ctrl-C, and if nobody reads the output."""
    code = INTERRUPTED
    try:
        code = trio.run(main)
    except* KeyboardInterrupt:
        pass
    except* BrokenPipeError:
        # What is left in the buffer would be written at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    return code
