"""The types of the results and errors of verbs, except those that QMP introspection describes.

Source: the QAPI types BlockGraphInfo, ImageCheck, MapEntry, BlockDirtyInfo and those they refer to, in QEMU's
qapi/block-core.json and qapi/crypto.json; and qemu-img.c for the members that qemu-img prints of them: `info` prints
no `backing-image`, and `map` no `filename`. Enumerations have the values of all versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from run_scenarios.qmp.types import ANY, Alternate, Array, Builtin, Enum, Member, Object, Type, TypeTable, Version

RESULTS = {
    "assert-bitmap": "BitmapOrNull",
    "check-image": "ImageCheck",
    "forget-events": "int",
    "hmp": "str",
    "image-info": "BlockGraphInfo",
    "map-image": "[MapEntry]",
    "qemu-img": "ToolOutput",
    "qemu-io": "str",
    "wait-exit": "int",
    "wait-job": "JobEnd",
}
"""The type of the result of a verb."""
ERRORS = {
    "check-image": "ToolError",
    "commit-image": "ToolError",
    "compare": "ToolError",
    "convert-image": "ToolError",
    "create-image": "ToolError",
    "discard": "IoError",
    "flush": "IoError",
    "hmp": "MonitorError",
    "image-info": "ToolError",
    "launch": "LaunchError",
    "map-image": "ToolError",
    "qemu-img": "ToolError",
    "qemu-io": "IoError",
    "qmp": "QmpError",
    "read": "IoError",
    "rebase-image": "ToolError",
    "resize-image": "ToolError",
    "serve-nbd": "LaunchError",
    "write": "IoError",
}
"""The type of the error of a verb."""
ARGUMENTS = {
    "assert-bitmap": {"busy": "bool", "*inconsistent": "bool", "persistent": "bool", "recording": "bool"},
    "wait-job": {"error": "str"},
}
"""The types of the values that arguments of a verb are matched against; `*` marks values that may be missing."""


class Added(NamedTuple):
    """A type of member that a version of QEMU added."""

    type: str
    version: str


IMAGE_INFO: dict[str, str | Added] = {
    "filename": "str",
    "format": "str",
    "*dirty-flag": "bool",
    "*actual-size": "int",
    "virtual-size": "int",
    "*cluster-size": "int",
    "*encrypted": "bool",
    "*compressed": "bool",
    "*backing-filename": "str",
    "*full-backing-filename": "str",
    "*backing-filename-format": "str",
    "*snapshots": "[SnapshotInfo]",
    "*limits": Added("BlockLimitsInfo", "10.2"),
    "*format-specific": "ImageInfoSpecific",
}
STRUCTS: dict[str, dict[str, str | Added]] = {
    "BlockGraphInfo": {**IMAGE_INFO, "children": Added("[BlockChildInfo]", "8.0")},
    "BlockChildInfo": {"name": "str", "info": "BlockGraphInfo"},
    "BlockLimitsInfo": {
        "request-alignment": "int",
        "*max-discard": "int",
        "*discard-alignment": "int",
        "*max-write-zeroes": "int",
        "*write-zeroes-alignment": "int",
        "*opt-transfer": "int",
        "*max-transfer": "int",
        "*max-hw-transfer": "int",
        "max-iov": "int",
        "*max-hw-iov": "int",
        "min-mem-alignment": "int",
        "opt-mem-alignment": "int",
    },
    "SnapshotInfo": {
        "id": "str",
        "name": "str",
        "vm-state-size": "int",
        "date-sec": "int",
        "date-nsec": "int",
        "vm-clock-sec": "int",
        "vm-clock-nsec": "int",
        "*icount": "int",
    },
    "Qcow2Data": {"data": "ImageInfoSpecificQCow2"},
    "ImageInfoSpecificQCow2": {
        "compat": "str",
        "*data-file": "str",
        "*data-file-raw": "bool",
        "*extended-l2": "bool",
        "*lazy-refcounts": "bool",
        "*corrupt": "bool",
        "refcount-bits": "int",
        "*encrypt": "ImageInfoSpecificQCow2Encryption",
        "*bitmaps": "[Qcow2BitmapInfo]",
        "compression-type": "Qcow2CompressionType",
    },
    "Qcow2BitmapInfo": {"name": "str", "granularity": "int", "flags": "[Qcow2BitmapInfoFlags]"},
    "VmdkData": {"data": "ImageInfoSpecificVmdk"},
    "ImageInfoSpecificVmdk": {
        "create-type": "str",
        "cid": "int",
        "parent-cid": "int",
        "extents": "[VmdkExtentInfo]",
    },
    "VmdkExtentInfo": {
        "filename": "str",
        "format": "str",
        "virtual-size": "int",
        "*cluster-size": "int",
        "*compressed": "bool",
    },
    "LuksData": {"data": "QCryptoBlockInfoLUKS"},
    "QCryptoBlockInfoLUKS": {
        "cipher-alg": "QCryptoCipherAlgo",
        "cipher-mode": "QCryptoCipherMode",
        "ivgen-alg": "QCryptoIVGenAlgo",
        "*ivgen-hash-alg": "QCryptoHashAlgo",
        "hash-alg": "QCryptoHashAlgo",
        "detached-header": Added("bool", "9.0"),
        "payload-offset": "int",
        "master-key-iters": "int",
        "uuid": "str",
        "slots": "[QCryptoBlockInfoLUKSSlot]",
    },
    "QCryptoBlockInfoLUKSSlot": {"active": "bool", "*iters": "int", "*stripes": "int", "key-offset": "int"},
    "RbdData": {"data": "ImageInfoSpecificRbd"},
    "ImageInfoSpecificRbd": {"*encryption-format": "RbdImageEncryptionFormat"},
    "FileData": {"data": "ImageInfoSpecificFile"},
    "ImageInfoSpecificFile": {"*extent-size-hint": "int"},
    "ImageCheck": {
        "filename": "str",
        "format": "str",
        "check-errors": "int",
        "*image-end-offset": "int",
        "*corruptions": "int",
        "*leaks": "int",
        "*corruptions-fixed": "int",
        "*leaks-fixed": "int",
        "*total-clusters": "int",
        "*allocated-clusters": "int",
        "*fragmented-clusters": "int",
        "*compressed-clusters": "int",
    },
    "MapEntry": {
        "start": "int",
        "length": "int",
        "depth": "int",
        "present": "bool",
        "zero": "bool",
        "data": "bool",
        "compressed": Added("bool", "8.2"),
        "*offset": "int",
    },
    "BlockDirtyInfo": {
        "*name": "str",
        "count": "int",
        "granularity": "int",
        "recording": "bool",
        "busy": "bool",
        "persistent": "bool",
        "*inconsistent": "bool",
    },
    "ToolOutput": {"stdout": "str", "stderr": "str"},
    "ToolError": {"status": "int", "stdout": "str", "stderr": "str"},
    "IoError": {"output": "str", "*status": "int"},
    "MonitorError": {"output": "str"},
    "LaunchError": {"status": "int", "stderr": "str"},
    "QmpError": {"class": "QapiErrorClass", "desc": "str"},
    "JobEnd": {"outcome": "JobOutcome", "statuses": "[JobStatus]", "*error": "str", "*len": "int", "*offset": "int"},
    "NoData": {},
}
"""Members in QAPI's notation: `*` marks those that may be missing."""
UNIONS = {
    "ImageInfoSpecific": (
        "type",
        "ImageInfoSpecificKind",
        {"qcow2": "Qcow2Data", "vmdk": "VmdkData", "luks": "LuksData", "rbd": "RbdData", "file": "FileData"},
    ),
    "ImageInfoSpecificQCow2Encryption": (
        "format",
        "BlockdevQcow2EncryptionFormat",
        {"luks": "QCryptoBlockInfoLUKS", "aes": "NoData"},
    ),
}
ENUMS = {
    "ImageInfoSpecificKind": ("qcow2", "vmdk", "luks", "rbd", "file"),
    "BlockdevQcow2EncryptionFormat": ("aes", "luks"),
    "RbdImageEncryptionFormat": ("luks", "luks2", "luks-any"),
    "Qcow2CompressionType": ("zlib", "zstd"),
    "Qcow2BitmapInfoFlags": ("in-use", "auto"),
    "QCryptoCipherAlgo": (
        *("aes-128", "aes-192", "aes-256", "des", "3des", "cast5-128", "serpent-128", "serpent-192", "serpent-256"),
        *("twofish-128", "twofish-192", "twofish-256", "sm4"),
    ),
    "QCryptoCipherMode": ("ecb", "cbc", "xts", "ctr"),
    "QCryptoIVGenAlgo": ("plain", "plain64", "essiv"),
    "QCryptoHashAlgo": ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "ripemd160", "sm3"),
    "QapiErrorClass": ("GenericError", "CommandNotFound", "DeviceNotActive", "DeviceNotFound", "KVMMissingCap"),
    "JobOutcome": ("completed", "failed", "cancelled", ""),
    "JobStatus": (
        *("undefined", "created", "running", "paused", "ready", "standby", "waiting", "pending", "aborting"),
        *("concluded", "null"),
    ),
}


@lru_cache(maxsize=8)
def describe_results(version: Version | None) -> TypeTable:
    """Return the types of results and errors.

    :param version: that of the QEMU under test; None if it is not known.
    """
    types: dict[str, Type] = {ANY: Builtin("value"), "str": Builtin("string")}
    types |= {"int": Builtin("int"), "bool": Builtin("boolean"), "null": Builtin("null")}
    types["BitmapOrNull"] = Alternate(("BlockDirtyInfo", "null"))
    types |= {name: Enum(dict.fromkeys(values, frozenset())) for name, values in ENUMS.items()}
    types |= {name: Object(_list_members(members, version)) for name, members in STRUCTS.items()}
    types |= {name: Object({tag: Member(type_)}, tag, variants) for name, (tag, type_, variants) in UNIONS.items()}
    types |= {f"[{name}]": Array(name) for name in tuple(types)}
    return TypeTable("QEMU", version, types)


def _list_members(members: Mapping[str, str | Added], version: Version | None) -> dict[str, Member]:
    listed = {}
    for name, each in members.items():
        type_, since = each if isinstance(each, Added) else (each, "")
        is_new = bool(since) and (version is None or version < tuple(map(int, since.split("."))))
        is_optional = name.startswith("*") or is_new
        listed[name.removeprefix("*")] = Member(type_, is_optional, since=since if is_new and version else "")
    return listed
