import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from leadpipeline.v1 import lead_pb2 as _lead_pb2
from leadpipeline.v1 import trigger_pb2 as _trigger_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_MOVED: _ClassVar[Outcome]
    OUTCOME_NO_CHANGE: _ClassVar[Outcome]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_MOVED: Outcome
OUTCOME_NO_CHANGE: Outcome

class StageChange(_message.Message):
    __slots__ = ("lead_id", "agent_id", "partition", "position", "version", "from_stage", "to_stage", "cause", "actor", "reason", "request_id", "occurred_at", "recorded_at", "conversation_mode", "dead_reason", "stage_kind", "revival_id")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FROM_STAGE_FIELD_NUMBER: _ClassVar[int]
    TO_STAGE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_MODE_FIELD_NUMBER: _ClassVar[int]
    DEAD_REASON_FIELD_NUMBER: _ClassVar[int]
    STAGE_KIND_FIELD_NUMBER: _ClassVar[int]
    REVIVAL_ID_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    agent_id: str
    partition: int
    position: int
    version: int
    from_stage: _lead_pb2.Stage
    to_stage: _lead_pb2.Stage
    cause: Cause
    actor: _lead_pb2.Actor
    reason: str
    request_id: str
    occurred_at: _timestamp_pb2.Timestamp
    recorded_at: _timestamp_pb2.Timestamp
    conversation_mode: _lead_pb2.ConversationMode
    dead_reason: _lead_pb2.DeadReason
    stage_kind: _lead_pb2.StageKind
    revival_id: str
    def __init__(self, lead_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., partition: _Optional[int] = ..., position: _Optional[int] = ..., version: _Optional[int] = ..., from_stage: _Optional[_Union[_lead_pb2.Stage, str]] = ..., to_stage: _Optional[_Union[_lead_pb2.Stage, str]] = ..., cause: _Optional[_Union[Cause, _Mapping]] = ..., actor: _Optional[_Union[_lead_pb2.Actor, _Mapping]] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., conversation_mode: _Optional[_Union[_lead_pb2.ConversationMode, str]] = ..., dead_reason: _Optional[_Union[_lead_pb2.DeadReason, str]] = ..., stage_kind: _Optional[_Union[_lead_pb2.StageKind, str]] = ..., revival_id: _Optional[str] = ...) -> None: ...

class Cause(_message.Message):
    __slots__ = ("trigger", "override", "creation", "revival")
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    CREATION_FIELD_NUMBER: _ClassVar[int]
    REVIVAL_FIELD_NUMBER: _ClassVar[int]
    trigger: _trigger_pb2.Trigger
    override: Override
    creation: Creation
    revival: Revived
    def __init__(self, trigger: _Optional[_Union[_trigger_pb2.Trigger, _Mapping]] = ..., override: _Optional[_Union[Override, _Mapping]] = ..., creation: _Optional[_Union[Creation, _Mapping]] = ..., revival: _Optional[_Union[Revived, _Mapping]] = ...) -> None: ...

class Override(_message.Message):
    __slots__ = ("meeting", "reopen_channels")
    MEETING_FIELD_NUMBER: _ClassVar[int]
    REOPEN_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    meeting: _lead_pb2.Meeting
    reopen_channels: bool
    def __init__(self, meeting: _Optional[_Union[_lead_pb2.Meeting, _Mapping]] = ..., reopen_channels: bool = ...) -> None: ...

class Creation(_message.Message):
    __slots__ = ("contact_points",)
    CONTACT_POINTS_FIELD_NUMBER: _ClassVar[int]
    contact_points: _containers.RepeatedScalarFieldContainer[_lead_pb2.ContactPoint]
    def __init__(self, contact_points: _Optional[_Iterable[_Union[_lead_pb2.ContactPoint, str]]] = ...) -> None: ...

class Revived(_message.Message):
    __slots__ = ("outreach_mode",)
    OUTREACH_MODE_FIELD_NUMBER: _ClassVar[int]
    outreach_mode: _lead_pb2.OutreachMode
    def __init__(self, outreach_mode: _Optional[_Union[_lead_pb2.OutreachMode, str]] = ...) -> None: ...
