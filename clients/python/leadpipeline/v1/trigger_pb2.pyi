from leadpipeline.v1 import lead_pb2 as _lead_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AttemptFailure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_FAILURE_UNSPECIFIED: _ClassVar[AttemptFailure]
    ATTEMPT_FAILURE_ATTEMPT_FAILED: _ClassVar[AttemptFailure]
    ATTEMPT_FAILURE_INVALID_ADDRESS: _ClassVar[AttemptFailure]
    ATTEMPT_FAILURE_REJECTED_BY_CARRIER: _ClassVar[AttemptFailure]

class Evidence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_UNSPECIFIED: _ClassVar[Evidence]
    EVIDENCE_AUTO_REPLY: _ClassVar[Evidence]
    EVIDENCE_OUT_OF_OFFICE: _ClassVar[Evidence]
    EVIDENCE_TOLD_US: _ClassVar[Evidence]
ATTEMPT_FAILURE_UNSPECIFIED: AttemptFailure
ATTEMPT_FAILURE_ATTEMPT_FAILED: AttemptFailure
ATTEMPT_FAILURE_INVALID_ADDRESS: AttemptFailure
ATTEMPT_FAILURE_REJECTED_BY_CARRIER: AttemptFailure
EVIDENCE_UNSPECIFIED: Evidence
EVIDENCE_AUTO_REPLY: Evidence
EVIDENCE_OUT_OF_OFFICE: Evidence
EVIDENCE_TOLD_US: Evidence

class Trigger(_message.Message):
    __slots__ = ("message_sent", "lead_replied", "checklist_completed", "meeting_booked", "meeting_cancelled", "meeting_time_passed", "went_quiet", "asked_for_later", "channel_used_up", "all_channels_used_up", "contact_info_added", "contact_attempt_failed", "all_contact_attempts_failed", "contact_left_company", "opted_out", "blocklisted", "not_interested")
    MESSAGE_SENT_FIELD_NUMBER: _ClassVar[int]
    LEAD_REPLIED_FIELD_NUMBER: _ClassVar[int]
    CHECKLIST_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    MEETING_BOOKED_FIELD_NUMBER: _ClassVar[int]
    MEETING_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    MEETING_TIME_PASSED_FIELD_NUMBER: _ClassVar[int]
    WENT_QUIET_FIELD_NUMBER: _ClassVar[int]
    ASKED_FOR_LATER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_USED_UP_FIELD_NUMBER: _ClassVar[int]
    ALL_CHANNELS_USED_UP_FIELD_NUMBER: _ClassVar[int]
    CONTACT_INFO_ADDED_FIELD_NUMBER: _ClassVar[int]
    CONTACT_ATTEMPT_FAILED_FIELD_NUMBER: _ClassVar[int]
    ALL_CONTACT_ATTEMPTS_FAILED_FIELD_NUMBER: _ClassVar[int]
    CONTACT_LEFT_COMPANY_FIELD_NUMBER: _ClassVar[int]
    OPTED_OUT_FIELD_NUMBER: _ClassVar[int]
    BLOCKLISTED_FIELD_NUMBER: _ClassVar[int]
    NOT_INTERESTED_FIELD_NUMBER: _ClassVar[int]
    message_sent: MessageSent
    lead_replied: LeadReplied
    checklist_completed: ChecklistCompleted
    meeting_booked: MeetingBooked
    meeting_cancelled: MeetingCancelled
    meeting_time_passed: MeetingTimePassed
    went_quiet: WentQuiet
    asked_for_later: AskedForLater
    channel_used_up: ChannelUsedUp
    all_channels_used_up: AllChannelsUsedUp
    contact_info_added: ContactInfoAdded
    contact_attempt_failed: ContactAttemptFailed
    all_contact_attempts_failed: AllContactAttemptsFailed
    contact_left_company: ContactLeftCompany
    opted_out: OptedOut
    blocklisted: Blocklisted
    not_interested: NotInterested
    def __init__(self, message_sent: _Optional[_Union[MessageSent, _Mapping]] = ..., lead_replied: _Optional[_Union[LeadReplied, _Mapping]] = ..., checklist_completed: _Optional[_Union[ChecklistCompleted, _Mapping]] = ..., meeting_booked: _Optional[_Union[MeetingBooked, _Mapping]] = ..., meeting_cancelled: _Optional[_Union[MeetingCancelled, _Mapping]] = ..., meeting_time_passed: _Optional[_Union[MeetingTimePassed, _Mapping]] = ..., went_quiet: _Optional[_Union[WentQuiet, _Mapping]] = ..., asked_for_later: _Optional[_Union[AskedForLater, _Mapping]] = ..., channel_used_up: _Optional[_Union[ChannelUsedUp, _Mapping]] = ..., all_channels_used_up: _Optional[_Union[AllChannelsUsedUp, _Mapping]] = ..., contact_info_added: _Optional[_Union[ContactInfoAdded, _Mapping]] = ..., contact_attempt_failed: _Optional[_Union[ContactAttemptFailed, _Mapping]] = ..., all_contact_attempts_failed: _Optional[_Union[AllContactAttemptsFailed, _Mapping]] = ..., contact_left_company: _Optional[_Union[ContactLeftCompany, _Mapping]] = ..., opted_out: _Optional[_Union[OptedOut, _Mapping]] = ..., blocklisted: _Optional[_Union[Blocklisted, _Mapping]] = ..., not_interested: _Optional[_Union[NotInterested, _Mapping]] = ...) -> None: ...

class MessageSent(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LeadReplied(_message.Message):
    __slots__ = ("channel",)
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    channel: _lead_pb2.Channel
    def __init__(self, channel: _Optional[_Union[_lead_pb2.Channel, str]] = ...) -> None: ...

class ChecklistCompleted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MeetingBooked(_message.Message):
    __slots__ = ("meeting",)
    MEETING_FIELD_NUMBER: _ClassVar[int]
    meeting: _lead_pb2.Meeting
    def __init__(self, meeting: _Optional[_Union[_lead_pb2.Meeting, _Mapping]] = ...) -> None: ...

class MeetingCancelled(_message.Message):
    __slots__ = ("meeting_id",)
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    meeting_id: str
    def __init__(self, meeting_id: _Optional[str] = ...) -> None: ...

class MeetingTimePassed(_message.Message):
    __slots__ = ("meeting_id",)
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    meeting_id: str
    def __init__(self, meeting_id: _Optional[str] = ...) -> None: ...

class WentQuiet(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AskedForLater(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ChannelUsedUp(_message.Message):
    __slots__ = ("channel",)
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    channel: _lead_pb2.Channel
    def __init__(self, channel: _Optional[_Union[_lead_pb2.Channel, str]] = ...) -> None: ...

class AllChannelsUsedUp(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ContactInfoAdded(_message.Message):
    __slots__ = ("contact_point",)
    CONTACT_POINT_FIELD_NUMBER: _ClassVar[int]
    contact_point: _lead_pb2.ContactPoint
    def __init__(self, contact_point: _Optional[_Union[_lead_pb2.ContactPoint, str]] = ...) -> None: ...

class ContactAttemptFailed(_message.Message):
    __slots__ = ("channel", "failure")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    channel: _lead_pb2.Channel
    failure: AttemptFailure
    def __init__(self, channel: _Optional[_Union[_lead_pb2.Channel, str]] = ..., failure: _Optional[_Union[AttemptFailure, str]] = ...) -> None: ...

class AllContactAttemptsFailed(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ContactLeftCompany(_message.Message):
    __slots__ = ("evidence",)
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    evidence: Evidence
    def __init__(self, evidence: _Optional[_Union[Evidence, str]] = ...) -> None: ...

class OptedOut(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Blocklisted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NotInterested(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
