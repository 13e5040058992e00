import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_NEW: _ClassVar[Stage]
    STAGE_CONTACTED: _ClassVar[Stage]
    STAGE_ENGAGED: _ClassVar[Stage]
    STAGE_QUALIFIED: _ClassVar[Stage]
    STAGE_SCHEDULED: _ClassVar[Stage]
    STAGE_MEETING_COMPLETED: _ClassVar[Stage]
    STAGE_NURTURE: _ClassVar[Stage]
    STAGE_EXHAUSTED: _ClassVar[Stage]
    STAGE_WON: _ClassVar[Stage]
    STAGE_LOST: _ClassVar[Stage]
    STAGE_BAD_PHONE: _ClassVar[Stage]
    STAGE_BAD_CONTACT: _ClassVar[Stage]
    STAGE_MOVED_COMPANY: _ClassVar[Stage]

class StageKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_KIND_UNSPECIFIED: _ClassVar[StageKind]
    STAGE_KIND_ACTIVE: _ClassVar[StageKind]
    STAGE_KIND_NURTURE: _ClassVar[StageKind]
    STAGE_KIND_PAUSED: _ClassVar[StageKind]
    STAGE_KIND_END: _ClassVar[StageKind]

class ConversationMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONVERSATION_MODE_UNSPECIFIED: _ClassVar[ConversationMode]
    CONVERSATION_MODE_FIRST_TOUCH: _ClassVar[ConversationMode]
    CONVERSATION_MODE_AWAIT_REPLY: _ClassVar[ConversationMode]
    CONVERSATION_MODE_CONVERSE: _ClassVar[ConversationMode]
    CONVERSATION_MODE_BOOK_MEETING: _ClassVar[ConversationMode]
    CONVERSATION_MODE_CONFIRM_MEETING: _ClassVar[ConversationMode]
    CONVERSATION_MODE_AWAIT_OUTCOME: _ClassVar[ConversationMode]
    CONVERSATION_MODE_CHECK_IN: _ClassVar[ConversationMode]
    CONVERSATION_MODE_HOLD: _ClassVar[ConversationMode]
    CONVERSATION_MODE_STOP: _ClassVar[ConversationMode]

class DeadReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEAD_REASON_UNSPECIFIED: _ClassVar[DeadReason]
    DEAD_REASON_NOT_INTERESTED: _ClassVar[DeadReason]
    DEAD_REASON_BLOCKLISTED: _ClassVar[DeadReason]
    DEAD_REASON_OPTED_OUT: _ClassVar[DeadReason]

class Channel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_UNSPECIFIED: _ClassVar[Channel]
    CHANNEL_EMAIL: _ClassVar[Channel]
    CHANNEL_SMS: _ClassVar[Channel]
    CHANNEL_VOICE: _ClassVar[Channel]

class OutreachMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTREACH_MODE_UNSPECIFIED: _ClassVar[OutreachMode]
    OUTREACH_MODE_SMS_ONLY: _ClassVar[OutreachMode]
    OUTREACH_MODE_EMAIL_ONLY: _ClassVar[OutreachMode]
    OUTREACH_MODE_VOICE_ONLY: _ClassVar[OutreachMode]
    OUTREACH_MODE_BLENDED: _ClassVar[OutreachMode]

class ChannelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_STATE_UNSPECIFIED: _ClassVar[ChannelState]
    CHANNEL_STATE_ABSENT: _ClassVar[ChannelState]
    CHANNEL_STATE_OPEN: _ClassVar[ChannelState]
    CHANNEL_STATE_USED_UP: _ClassVar[ChannelState]
    CHANNEL_STATE_BAD: _ClassVar[ChannelState]

class ContactPoint(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTACT_POINT_UNSPECIFIED: _ClassVar[ContactPoint]
    CONTACT_POINT_EMAIL: _ClassVar[ContactPoint]
    CONTACT_POINT_PHONE: _ClassVar[ContactPoint]

class ActorKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTOR_KIND_UNSPECIFIED: _ClassVar[ActorKind]
    ACTOR_KIND_PERSON: _ClassVar[ActorKind]
    ACTOR_KIND_AI_AGENT: _ClassVar[ActorKind]
    ACTOR_KIND_SERVICE: _ClassVar[ActorKind]
    ACTOR_KIND_SYSTEM: _ClassVar[ActorKind]
STAGE_UNSPECIFIED: Stage
STAGE_NEW: Stage
STAGE_CONTACTED: Stage
STAGE_ENGAGED: Stage
STAGE_QUALIFIED: Stage
STAGE_SCHEDULED: Stage
STAGE_MEETING_COMPLETED: Stage
STAGE_NURTURE: Stage
STAGE_EXHAUSTED: Stage
STAGE_WON: Stage
STAGE_LOST: Stage
STAGE_BAD_PHONE: Stage
STAGE_BAD_CONTACT: Stage
STAGE_MOVED_COMPANY: Stage
STAGE_KIND_UNSPECIFIED: StageKind
STAGE_KIND_ACTIVE: StageKind
STAGE_KIND_NURTURE: StageKind
STAGE_KIND_PAUSED: StageKind
STAGE_KIND_END: StageKind
CONVERSATION_MODE_UNSPECIFIED: ConversationMode
CONVERSATION_MODE_FIRST_TOUCH: ConversationMode
CONVERSATION_MODE_AWAIT_REPLY: ConversationMode
CONVERSATION_MODE_CONVERSE: ConversationMode
CONVERSATION_MODE_BOOK_MEETING: ConversationMode
CONVERSATION_MODE_CONFIRM_MEETING: ConversationMode
CONVERSATION_MODE_AWAIT_OUTCOME: ConversationMode
CONVERSATION_MODE_CHECK_IN: ConversationMode
CONVERSATION_MODE_HOLD: ConversationMode
CONVERSATION_MODE_STOP: ConversationMode
DEAD_REASON_UNSPECIFIED: DeadReason
DEAD_REASON_NOT_INTERESTED: DeadReason
DEAD_REASON_BLOCKLISTED: DeadReason
DEAD_REASON_OPTED_OUT: DeadReason
CHANNEL_UNSPECIFIED: Channel
CHANNEL_EMAIL: Channel
CHANNEL_SMS: Channel
CHANNEL_VOICE: Channel
OUTREACH_MODE_UNSPECIFIED: OutreachMode
OUTREACH_MODE_SMS_ONLY: OutreachMode
OUTREACH_MODE_EMAIL_ONLY: OutreachMode
OUTREACH_MODE_VOICE_ONLY: OutreachMode
OUTREACH_MODE_BLENDED: OutreachMode
CHANNEL_STATE_UNSPECIFIED: ChannelState
CHANNEL_STATE_ABSENT: ChannelState
CHANNEL_STATE_OPEN: ChannelState
CHANNEL_STATE_USED_UP: ChannelState
CHANNEL_STATE_BAD: ChannelState
CONTACT_POINT_UNSPECIFIED: ContactPoint
CONTACT_POINT_EMAIL: ContactPoint
CONTACT_POINT_PHONE: ContactPoint
ACTOR_KIND_UNSPECIFIED: ActorKind
ACTOR_KIND_PERSON: ActorKind
ACTOR_KIND_AI_AGENT: ActorKind
ACTOR_KIND_SERVICE: ActorKind
ACTOR_KIND_SYSTEM: ActorKind

class Actor(_message.Message):
    __slots__ = ("kind", "id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    kind: ActorKind
    id: str
    def __init__(self, kind: _Optional[_Union[ActorKind, str]] = ..., id: _Optional[str] = ...) -> None: ...

class Meeting(_message.Message):
    __slots__ = ("meeting_id", "starts_at", "ends_at")
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    STARTS_AT_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    meeting_id: str
    starts_at: _timestamp_pb2.Timestamp
    ends_at: _timestamp_pb2.Timestamp
    def __init__(self, meeting_id: _Optional[str] = ..., starts_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ends_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Channels(_message.Message):
    __slots__ = ("email", "sms", "voice")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    SMS_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    email: ChannelState
    sms: ChannelState
    voice: ChannelState
    def __init__(self, email: _Optional[_Union[ChannelState, str]] = ..., sms: _Optional[_Union[ChannelState, str]] = ..., voice: _Optional[_Union[ChannelState, str]] = ...) -> None: ...

class ContactFailures(_message.Message):
    __slots__ = ("email", "phone")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    email: int
    phone: int
    def __init__(self, email: _Optional[int] = ..., phone: _Optional[int] = ...) -> None: ...

class Lead(_message.Message):
    __slots__ = ("lead_id", "agent_id", "stage", "stage_kind", "conversation_mode", "version", "dead_reason", "channels", "stage_entered_at", "furthest_stage", "meeting", "created_at", "last_outreach_at", "last_reply_at", "contact_failures", "next_follow_up_at")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STAGE_KIND_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_MODE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DEAD_REASON_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    STAGE_ENTERED_AT_FIELD_NUMBER: _ClassVar[int]
    FURTHEST_STAGE_FIELD_NUMBER: _ClassVar[int]
    MEETING_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_OUTREACH_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_REPLY_AT_FIELD_NUMBER: _ClassVar[int]
    CONTACT_FAILURES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FOLLOW_UP_AT_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    agent_id: str
    stage: Stage
    stage_kind: StageKind
    conversation_mode: ConversationMode
    version: int
    dead_reason: DeadReason
    channels: Channels
    stage_entered_at: _timestamp_pb2.Timestamp
    furthest_stage: Stage
    meeting: Meeting
    created_at: _timestamp_pb2.Timestamp
    last_outreach_at: _timestamp_pb2.Timestamp
    last_reply_at: _timestamp_pb2.Timestamp
    contact_failures: ContactFailures
    next_follow_up_at: _timestamp_pb2.Timestamp
    def __init__(self, lead_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., stage: _Optional[_Union[Stage, str]] = ..., stage_kind: _Optional[_Union[StageKind, str]] = ..., conversation_mode: _Optional[_Union[ConversationMode, str]] = ..., version: _Optional[int] = ..., dead_reason: _Optional[_Union[DeadReason, str]] = ..., channels: _Optional[_Union[Channels, _Mapping]] = ..., stage_entered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., furthest_stage: _Optional[_Union[Stage, str]] = ..., meeting: _Optional[_Union[Meeting, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_outreach_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_reply_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., contact_failures: _Optional[_Union[ContactFailures, _Mapping]] = ..., next_follow_up_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
