"""Check single values: names of images, block drivers, objects, devices and addresses.

Sources: QEMU's qapi/block-core.json, qapi/qom.json, qapi/sockets.json, qapi/char.json, and the manual's section on
protocols in file names (docs/system/qemu-block-drivers).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode, from_json
from run_scenarios.core.source import Span
from run_scenarios.syntax.file_names import LOCAL_HINT, PLAIN_NAME, find_name_problem

Escapes = Iterator[Diagnostic]

INSIDE_HINT = "a scenario stays in the case's own directory; to leave it, see --allow-outside"
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
# Protocols whose file is a relative name, or that have none. Percent-encoding would hide what follows it.
LOCAL_PROTOCOL = re.compile(
    r"nbd\+unix://[^?&%]*\?socket=([^&%]+)|(?:nbd:)?unix:([^:]+)(?::exportname=.*)?|file:([^:]+)"
)
WITHOUT_FILE = re.compile(r"null-(?:co|aio)://")
NESTED = re.compile(r"(?:blkdebug|blkverify):([^:]*):(.*)")
INDEX = re.compile(r"[0-9]+")


def names(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


BLOCK_DRIVERS = names(
    "blkdebug blklogwrites blkreplay blkverify bochs cloop compress copy-before-write copy-on-read dmg file "
    "luks nbd null-aio null-co parallels preallocate qcow qcow2 qed quorum raw replication snapshot-access "
    "throttle vdi vhdx vmdk vpc"
)
# QEMU's own tests name a driver that does not exist so; no release will have it.
BLOCK_DRIVERS |= {"spaghetti"}
OBJECTS = names(
    "acpi-generic-initiator acpi-generic-port authz-list authz-listfile authz-simple can-bus colo-compare "
    "cryptodev-backend cryptodev-backend-builtin filter-buffer filter-dump filter-mirror filter-redirector "
    "filter-replay filter-rewriter iothread main-loop memory-backend-file memory-backend-memfd "
    "memory-backend-ram memory-backend-shm pr-manager-helper rng-builtin secret thread-context throttle-group "
    "tls-cipher-suites tls-creds-anon tls-creds-psk tls-creds-x509"
)
CHARACTER_DEVICES = names("file memory null ringbuf socket")
HOST_DEVICE = re.compile(
    "vfio|vhost(?!-user)|vdpa|xen|usb-host|passthru|input-host|ccid-card-emul|extern|redir|proxy|tpm"
)
REMOTE_ADDRESSES = names("inet vsock fd exec rdma vduse-blk")
ADDRESS_TYPES = frozenset({"type", "transport"})
DRIVER_KEYS = frozenset({"driver", "backing_fmt", "backing-fmt"})
NAME_KEYS = names(
    "bitmap bitmaps bus desc description devices export id job-id name node node-name property qdev snapshot tag "
    "typename vmstate x-dirty-bitmap"
)
"""Keys whose text QEMU looks up among its own names, never in a file system."""
OFF = frozenset({"off", "false", "no", "n"})


def check_image_name(text: str, span: Span) -> Escapes:
    """Find what leads outside in the name of an image, in which QEMU looks for a protocol."""
    nested, local = NESTED.fullmatch(text), LOCAL_PROTOCOL.fullmatch(text)
    if CONTROL_CHARACTER.search(text):
        yield Diagnostic(span, "a file name with a control character", LOCAL_HINT)
    elif text.startswith("json:"):
        yield from check_json(text.removeprefix("json:"), span)
    elif nested:
        for part in filter(None, nested.groups()):
            yield from check_image_name(part, span)
    elif not WITHOUT_FILE.match(text):
        problem = find_name_problem(next(filter(None, local.groups())) if local else text)
        if problem:
            yield Diagnostic(span, problem, LOCAL_HINT)


def check_json(text: str, span: Span) -> Escapes:
    """Find what leads outside in a block node's options as JSON."""
    try:
        node = from_json(json.loads(text), span)
    except (ValueError, RecursionError):
        yield Diagnostic(span, "invalid JSON", "use double quotes, and no comma at the end")
        return
    yield from check_block_options(node)


def check_block_driver(name: str, span: Span) -> Escapes:
    """Refuse a block driver that is not on the list."""
    yield from refuse_unlisted(name, BLOCK_DRIVERS, "block driver", span)


def check_object_type(name: str, span: Span) -> Escapes:
    """Refuse a type of object that is not on the list."""
    yield from refuse_unlisted(name, OBJECTS, "object", span)


def check_character_device(name: str, span: Span) -> Escapes:
    """Refuse the back end of a character device that is not on the list."""
    yield from refuse_unlisted(name, CHARACTER_DEVICES, "character device", span)


def check_device(name: str, span: Span) -> Escapes:
    """Refuse a guest device that is a device, a daemon or a file of the host."""
    if HOST_DEVICE.search(name):
        yield Diagnostic(span, f"the device '{name}' reaches outside the case's directory", INSIDE_HINT)
    else:
        yield from check_image_name(name, span)


def refuse_unlisted(name: str, known: Collection[str], what: str, span: Span) -> Escapes:
    """Refuse a name that is not on a list of those that stay inside."""
    if name not in known:
        message = f"{what} '{name}' is not on the list of those that stay inside the case's directory"
        yield Diagnostic(span, message, did_you_mean(name, known, INSIDE_HINT))


def check_block_option(key: str, value: object, span: Span) -> Escapes:
    """Find what leads outside in one option of a block node, an object, an export or an address.

    :param key: with dots where options are nested, as in `file.server.host`.
    """
    last = last_part(key)
    if last in DRIVER_KEYS:
        yield from check_block_driver(str(value), span)
    elif last == "qom-type":
        yield from check_object_type(str(value), span)
    elif last in ("host", "port") or (last in ADDRESS_TYPES and value in REMOTE_ADDRESSES):
        yield Diagnostic(span, f"'{last}: {value}' reaches the network, or another program", INSIDE_HINT)
    elif last == "abstract" and value is not False and value not in OFF:
        yield Diagnostic(span, "an abstract socket is in no directory", INSIDE_HINT)
    else:
        yield from check_value(key, value, span)


def check_device_option(key: str, value: object, span: Span) -> Escapes:
    """Find what leads outside in one option of a guest device."""
    if key == "driver":
        yield from check_device(str(value), span)
    else:
        yield from check_value(key, value, span)


def check_value(key: str, value: object, span: Span) -> Escapes:
    """Find what leads outside in a value that may be the name of an image, unless its key is that of a name."""
    if isinstance(value, str) and last_part(key) not in NAME_KEYS and not PLAIN_NAME.fullmatch(value):
        yield from check_image_name(value, span)


def check_block_options(node: Node) -> Escapes:
    """Find what leads outside in the options of block nodes, objects and exports."""
    for key, value in iterate_scalars(node):
        yield from check_block_option(key, value.value, value.span)


def check_device_options(node: Node) -> Escapes:
    """Find what leads outside in the options of guest devices."""
    for key, value in iterate_scalars(node):
        yield from check_device_option(key, value.value, value.span)


def last_part(key: str) -> str:
    """Return the last part of a dotted key that is not an index: `hosts` of `server.hosts.0`."""
    if "." not in key:
        return key
    return next((part for part in reversed(key.split(".")) if not INDEX.fullmatch(part)), key)


def iterate_scalars(node: Node, key: str = "") -> Iterator[tuple[str, ScalarNode]]:
    """Yield every known value in a node with its dotted key, in the order they were written."""
    left: list[tuple[str, Node]] = [(key, node)]
    while left:
        key, node = left.pop()
        if isinstance(node, ScalarNode):
            yield key, node
        elif isinstance(node, MappingNode):
            left += [(f"{key}.{entry.key}" if key else entry.key, entry.value) for entry in reversed(node.entries)]
        elif isinstance(node, SequenceNode):
            left += [(key, item) for item in reversed(node.items)]
