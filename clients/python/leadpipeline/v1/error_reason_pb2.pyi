from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_LEAD_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_LEAD_ALREADY_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_ID_REUSED: _ClassVar[ErrorReason]
    ERROR_REASON_VERSION_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_LEAD_IS_DEAD: _ClassVar[ErrorReason]
    ERROR_REASON_TRIGGER_NOT_ALLOWED: _ClassVar[ErrorReason]
    ERROR_REASON_MEETING_NOT_STARTED: _ClassVar[ErrorReason]
    ERROR_REASON_CHANNEL_ABSENT: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_OUTCOME_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_CURSOR_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_CURSOR_DIVERGED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_CURSOR_EXPIRED: _ClassVar[ErrorReason]
    ERROR_REASON_AGENT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_REVIVAL_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_LEASE_LOST: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_LEAD_NOT_FOUND: ErrorReason
ERROR_REASON_LEAD_ALREADY_EXISTS: ErrorReason
ERROR_REASON_REQUEST_ID_REUSED: ErrorReason
ERROR_REASON_VERSION_MISMATCH: ErrorReason
ERROR_REASON_LEAD_IS_DEAD: ErrorReason
ERROR_REASON_TRIGGER_NOT_ALLOWED: ErrorReason
ERROR_REASON_MEETING_NOT_STARTED: ErrorReason
ERROR_REASON_CHANNEL_ABSENT: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_OUTCOME_UNKNOWN: ErrorReason
ERROR_REASON_UNAVAILABLE: ErrorReason
ERROR_REASON_CURSOR_INVALID: ErrorReason
ERROR_REASON_CURSOR_DIVERGED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_CURSOR_EXPIRED: ErrorReason
ERROR_REASON_AGENT_NOT_FOUND: ErrorReason
ERROR_REASON_REVIVAL_NOT_FOUND: ErrorReason
ERROR_REASON_LEASE_LOST: ErrorReason
