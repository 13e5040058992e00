import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from leadpipeline.v1 import error_reason_pb2 as _error_reason_pb2
from leadpipeline.v1 import lead_pb2 as _lead_pb2
from leadpipeline.v1 import stage_change_pb2 as _stage_change_pb2
from leadpipeline.v1 import trigger_pb2 as _trigger_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChangeOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_ORIGIN_UNSPECIFIED: _ClassVar[ChangeOrigin]
    CHANGE_ORIGIN_MANUAL: _ClassVar[ChangeOrigin]
    CHANGE_ORIGIN_AUTOMATIC: _ClassVar[ChangeOrigin]

class Notice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_UNSPECIFIED: _ClassVar[Notice]
    NOTICE_CAUGHT_UP: _ClassVar[Notice]
    NOTICE_FELL_BEHIND: _ClassVar[Notice]
    NOTICE_GOING_AWAY: _ClassVar[Notice]
    NOTICE_SNAPSHOT_COMPLETE: _ClassVar[Notice]

class RevivalState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVIVAL_STATE_UNSPECIFIED: _ClassVar[RevivalState]
    REVIVAL_STATE_RUNNING: _ClassVar[RevivalState]
    REVIVAL_STATE_FINISHED: _ClassVar[RevivalState]
    REVIVAL_STATE_SUPERSEDED: _ClassVar[RevivalState]
CHANGE_ORIGIN_UNSPECIFIED: ChangeOrigin
CHANGE_ORIGIN_MANUAL: ChangeOrigin
CHANGE_ORIGIN_AUTOMATIC: ChangeOrigin
NOTICE_UNSPECIFIED: Notice
NOTICE_CAUGHT_UP: Notice
NOTICE_FELL_BEHIND: Notice
NOTICE_GOING_AWAY: Notice
NOTICE_SNAPSHOT_COMPLETE: Notice
REVIVAL_STATE_UNSPECIFIED: RevivalState
REVIVAL_STATE_RUNNING: RevivalState
REVIVAL_STATE_FINISHED: RevivalState
REVIVAL_STATE_SUPERSEDED: RevivalState

class CreateLeadRequest(_message.Message):
    __slots__ = ("lead_id", "agent_id", "contact_points", "request_id", "actor", "reason")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTACT_POINTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    agent_id: str
    contact_points: _containers.RepeatedScalarFieldContainer[_lead_pb2.ContactPoint]
    request_id: str
    actor: _lead_pb2.Actor
    reason: str
    def __init__(self, lead_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., contact_points: _Optional[_Iterable[_Union[_lead_pb2.ContactPoint, str]]] = ..., request_id: _Optional[str] = ..., actor: _Optional[_Union[_lead_pb2.Actor, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class CreateLeadResponse(_message.Message):
    __slots__ = ("lead", "changes", "replayed", "request_id")
    LEAD_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    lead: _lead_pb2.Lead
    changes: _containers.RepeatedCompositeFieldContainer[_stage_change_pb2.StageChange]
    replayed: bool
    request_id: str
    def __init__(self, lead: _Optional[_Union[_lead_pb2.Lead, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[_stage_change_pb2.StageChange, _Mapping]]] = ..., replayed: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class BatchCreateLeadsRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[CreateLeadRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[CreateLeadRequest, _Mapping]]] = ...) -> None: ...

class BatchCreateLeadsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchCreateLeadsResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchCreateLeadsResult, _Mapping]]] = ...) -> None: ...

class BatchCreateLeadsResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: CreateLeadResponse
    error: _status_pb2.Status
    def __init__(self, response: _Optional[_Union[CreateLeadResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class GetLeadRequest(_message.Message):
    __slots__ = ("lead_id",)
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    def __init__(self, lead_id: _Optional[str] = ...) -> None: ...

class GetLeadResponse(_message.Message):
    __slots__ = ("lead",)
    LEAD_FIELD_NUMBER: _ClassVar[int]
    lead: _lead_pb2.Lead
    def __init__(self, lead: _Optional[_Union[_lead_pb2.Lead, _Mapping]] = ...) -> None: ...

class ListLeadsRequest(_message.Message):
    __slots__ = ("agent_id", "stages", "dead", "min_time_in_stage", "max_time_in_stage", "next_follow_up_before", "page_size", "page_token")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    MIN_TIME_IN_STAGE_FIELD_NUMBER: _ClassVar[int]
    MAX_TIME_IN_STAGE_FIELD_NUMBER: _ClassVar[int]
    NEXT_FOLLOW_UP_BEFORE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    stages: _containers.RepeatedScalarFieldContainer[_lead_pb2.Stage]
    dead: bool
    min_time_in_stage: _duration_pb2.Duration
    max_time_in_stage: _duration_pb2.Duration
    next_follow_up_before: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, agent_id: _Optional[str] = ..., stages: _Optional[_Iterable[_Union[_lead_pb2.Stage, str]]] = ..., dead: bool = ..., min_time_in_stage: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_time_in_stage: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., next_follow_up_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListLeadsResponse(_message.Message):
    __slots__ = ("leads", "next_page_token")
    LEADS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    leads: _containers.RepeatedCompositeFieldContainer[_lead_pb2.Lead]
    next_page_token: str
    def __init__(self, leads: _Optional[_Iterable[_Union[_lead_pb2.Lead, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ApplyTriggerRequest(_message.Message):
    __slots__ = ("lead_id", "trigger", "request_id", "expected_version", "occurred_at", "actor", "reason", "validate_only")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    trigger: _trigger_pb2.Trigger
    request_id: str
    expected_version: int
    occurred_at: _timestamp_pb2.Timestamp
    actor: _lead_pb2.Actor
    reason: str
    validate_only: bool
    def __init__(self, lead_id: _Optional[str] = ..., trigger: _Optional[_Union[_trigger_pb2.Trigger, _Mapping]] = ..., request_id: _Optional[str] = ..., expected_version: _Optional[int] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[_Union[_lead_pb2.Actor, _Mapping]] = ..., reason: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class ApplyTriggerResponse(_message.Message):
    __slots__ = ("outcome", "lead", "changes", "replayed", "request_id")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LEAD_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    outcome: _stage_change_pb2.Outcome
    lead: _lead_pb2.Lead
    changes: _containers.RepeatedCompositeFieldContainer[_stage_change_pb2.StageChange]
    replayed: bool
    request_id: str
    def __init__(self, outcome: _Optional[_Union[_stage_change_pb2.Outcome, str]] = ..., lead: _Optional[_Union[_lead_pb2.Lead, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[_stage_change_pb2.StageChange, _Mapping]]] = ..., replayed: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class ApplyTriggersRequest(_message.Message):
    __slots__ = ("sequence", "command")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    command: ApplyTriggerRequest
    def __init__(self, sequence: _Optional[int] = ..., command: _Optional[_Union[ApplyTriggerRequest, _Mapping]] = ...) -> None: ...

class ApplyTriggersResponse(_message.Message):
    __slots__ = ("sequence", "response", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    response: ApplyTriggerResponse
    error: _status_pb2.Status
    def __init__(self, sequence: _Optional[int] = ..., response: _Optional[_Union[ApplyTriggerResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class OverrideStageRequest(_message.Message):
    __slots__ = ("lead_id", "stage", "meeting", "reopen_channels", "request_id", "expected_version", "occurred_at", "actor", "reason", "validate_only")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MEETING_FIELD_NUMBER: _ClassVar[int]
    REOPEN_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    stage: _lead_pb2.Stage
    meeting: _lead_pb2.Meeting
    reopen_channels: bool
    request_id: str
    expected_version: int
    occurred_at: _timestamp_pb2.Timestamp
    actor: _lead_pb2.Actor
    reason: str
    validate_only: bool
    def __init__(self, lead_id: _Optional[str] = ..., stage: _Optional[_Union[_lead_pb2.Stage, str]] = ..., meeting: _Optional[_Union[_lead_pb2.Meeting, _Mapping]] = ..., reopen_channels: bool = ..., request_id: _Optional[str] = ..., expected_version: _Optional[int] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[_Union[_lead_pb2.Actor, _Mapping]] = ..., reason: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class OverrideStageResponse(_message.Message):
    __slots__ = ("outcome", "lead", "changes", "replayed", "request_id")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LEAD_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    outcome: _stage_change_pb2.Outcome
    lead: _lead_pb2.Lead
    changes: _containers.RepeatedCompositeFieldContainer[_stage_change_pb2.StageChange]
    replayed: bool
    request_id: str
    def __init__(self, outcome: _Optional[_Union[_stage_change_pb2.Outcome, str]] = ..., lead: _Optional[_Union[_lead_pb2.Lead, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[_stage_change_pb2.StageChange, _Mapping]]] = ..., replayed: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class ListStageChangesRequest(_message.Message):
    __slots__ = ("lead_id", "page_size", "page_token")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    page_size: int
    page_token: str
    def __init__(self, lead_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListStageChangesResponse(_message.Message):
    __slots__ = ("changes", "next_page_token", "first_version")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FIRST_VERSION_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_stage_change_pb2.StageChange]
    next_page_token: str
    first_version: int
    def __init__(self, changes: _Optional[_Iterable[_Union[_stage_change_pb2.StageChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., first_version: _Optional[int] = ...) -> None: ...

class ExplainLeadRequest(_message.Message):
    __slots__ = ("lead_id",)
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    def __init__(self, lead_id: _Optional[str] = ...) -> None: ...

class ExplainLeadResponse(_message.Message):
    __slots__ = ("lead", "triggers")
    LEAD_FIELD_NUMBER: _ClassVar[int]
    TRIGGERS_FIELD_NUMBER: _ClassVar[int]
    lead: _lead_pb2.Lead
    triggers: _containers.RepeatedCompositeFieldContainer[TriggerExplanation]
    def __init__(self, lead: _Optional[_Union[_lead_pb2.Lead, _Mapping]] = ..., triggers: _Optional[_Iterable[_Union[TriggerExplanation, _Mapping]]] = ...) -> None: ...

class TriggerExplanation(_message.Message):
    __slots__ = ("trigger", "example", "outcome", "to_stages", "refusal", "explanation")
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TO_STAGES_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    trigger: str
    example: _trigger_pb2.Trigger
    outcome: _stage_change_pb2.Outcome
    to_stages: _containers.RepeatedScalarFieldContainer[_lead_pb2.Stage]
    refusal: _error_reason_pb2.ErrorReason
    explanation: str
    def __init__(self, trigger: _Optional[str] = ..., example: _Optional[_Union[_trigger_pb2.Trigger, _Mapping]] = ..., outcome: _Optional[_Union[_stage_change_pb2.Outcome, str]] = ..., to_stages: _Optional[_Iterable[_Union[_lead_pb2.Stage, str]]] = ..., refusal: _Optional[_Union[_error_reason_pb2.ErrorReason, str]] = ..., explanation: _Optional[str] = ...) -> None: ...

class DescribePipelineRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribePipelineResponse(_message.Message):
    __slots__ = ("stages", "triggers", "transitions")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    TRIGGERS_FIELD_NUMBER: _ClassVar[int]
    TRANSITIONS_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedCompositeFieldContainer[StageDescription]
    triggers: _containers.RepeatedCompositeFieldContainer[TriggerDescription]
    transitions: _containers.RepeatedCompositeFieldContainer[Transition]
    def __init__(self, stages: _Optional[_Iterable[_Union[StageDescription, _Mapping]]] = ..., triggers: _Optional[_Iterable[_Union[TriggerDescription, _Mapping]]] = ..., transitions: _Optional[_Iterable[_Union[Transition, _Mapping]]] = ...) -> None: ...

class StageDescription(_message.Message):
    __slots__ = ("stage", "kind", "conversation_mode", "meaning")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_MODE_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    stage: _lead_pb2.Stage
    kind: _lead_pb2.StageKind
    conversation_mode: _lead_pb2.ConversationMode
    meaning: str
    def __init__(self, stage: _Optional[_Union[_lead_pb2.Stage, str]] = ..., kind: _Optional[_Union[_lead_pb2.StageKind, str]] = ..., conversation_mode: _Optional[_Union[_lead_pb2.ConversationMode, str]] = ..., meaning: _Optional[str] = ...) -> None: ...

class TriggerDescription(_message.Message):
    __slots__ = ("trigger", "meaning")
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    trigger: str
    meaning: str
    def __init__(self, trigger: _Optional[str] = ..., meaning: _Optional[str] = ...) -> None: ...

class Transition(_message.Message):
    __slots__ = ("from_stage", "trigger", "results")
    FROM_STAGE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    from_stage: _lead_pb2.Stage
    trigger: str
    results: _containers.RepeatedCompositeFieldContainer[TransitionResult]
    def __init__(self, from_stage: _Optional[_Union[_lead_pb2.Stage, str]] = ..., trigger: _Optional[str] = ..., results: _Optional[_Iterable[_Union[TransitionResult, _Mapping]]] = ...) -> None: ...

class TransitionResult(_message.Message):
    __slots__ = ("outcome", "to_stages", "refusal", "condition")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TO_STAGES_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    outcome: _stage_change_pb2.Outcome
    to_stages: _containers.RepeatedScalarFieldContainer[_lead_pb2.Stage]
    refusal: _error_reason_pb2.ErrorReason
    condition: str
    def __init__(self, outcome: _Optional[_Union[_stage_change_pb2.Outcome, str]] = ..., to_stages: _Optional[_Iterable[_Union[_lead_pb2.Stage, str]]] = ..., refusal: _Optional[_Union[_error_reason_pb2.ErrorReason, str]] = ..., condition: _Optional[str] = ...) -> None: ...

class WatchStageChangesRequest(_message.Message):
    __slots__ = ("now", "beginning", "after_cursor", "snapshot", "filter", "include_unchanged", "checkpoint_interval")
    NOW_FIELD_NUMBER: _ClassVar[int]
    BEGINNING_FIELD_NUMBER: _ClassVar[int]
    AFTER_CURSOR_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    now: StartNow
    beginning: StartBeginning
    after_cursor: str
    snapshot: StartSnapshot
    filter: WatchFilter
    include_unchanged: bool
    checkpoint_interval: _duration_pb2.Duration
    def __init__(self, now: _Optional[_Union[StartNow, _Mapping]] = ..., beginning: _Optional[_Union[StartBeginning, _Mapping]] = ..., after_cursor: _Optional[str] = ..., snapshot: _Optional[_Union[StartSnapshot, _Mapping]] = ..., filter: _Optional[_Union[WatchFilter, _Mapping]] = ..., include_unchanged: bool = ..., checkpoint_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StartNow(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartBeginning(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartSnapshot(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchFilter(_message.Message):
    __slots__ = ("lead_ids", "agent_ids", "from_stages", "to_stages", "origin")
    LEAD_IDS_FIELD_NUMBER: _ClassVar[int]
    AGENT_IDS_FIELD_NUMBER: _ClassVar[int]
    FROM_STAGES_FIELD_NUMBER: _ClassVar[int]
    TO_STAGES_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    lead_ids: _containers.RepeatedScalarFieldContainer[str]
    agent_ids: _containers.RepeatedScalarFieldContainer[str]
    from_stages: _containers.RepeatedScalarFieldContainer[_lead_pb2.Stage]
    to_stages: _containers.RepeatedScalarFieldContainer[_lead_pb2.Stage]
    origin: ChangeOrigin
    def __init__(self, lead_ids: _Optional[_Iterable[str]] = ..., agent_ids: _Optional[_Iterable[str]] = ..., from_stages: _Optional[_Iterable[_Union[_lead_pb2.Stage, str]]] = ..., to_stages: _Optional[_Iterable[_Union[_lead_pb2.Stage, str]]] = ..., origin: _Optional[_Union[ChangeOrigin, str]] = ...) -> None: ...

class WatchStageChangesResponse(_message.Message):
    __slots__ = ("changes", "coverage", "cursor", "notice", "behind", "leads")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    LEADS_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_stage_change_pb2.StageChange]
    coverage: _containers.RepeatedCompositeFieldContainer[Coverage]
    cursor: str
    notice: Notice
    behind: int
    leads: _containers.RepeatedCompositeFieldContainer[_lead_pb2.Lead]
    def __init__(self, changes: _Optional[_Iterable[_Union[_stage_change_pb2.StageChange, _Mapping]]] = ..., coverage: _Optional[_Iterable[_Union[Coverage, _Mapping]]] = ..., cursor: _Optional[str] = ..., notice: _Optional[_Union[Notice, str]] = ..., behind: _Optional[int] = ..., leads: _Optional[_Iterable[_Union[_lead_pb2.Lead, _Mapping]]] = ...) -> None: ...

class ReviveForModeRequest(_message.Message):
    __slots__ = ("agent_id", "outreach_mode", "request_id", "actor", "validate_only")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTREACH_MODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    outreach_mode: _lead_pb2.OutreachMode
    request_id: str
    actor: _lead_pb2.Actor
    validate_only: bool
    def __init__(self, agent_id: _Optional[str] = ..., outreach_mode: _Optional[_Union[_lead_pb2.OutreachMode, str]] = ..., request_id: _Optional[str] = ..., actor: _Optional[_Union[_lead_pb2.Actor, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class ReviveForModeResponse(_message.Message):
    __slots__ = ("revival", "replayed", "request_id")
    REVIVAL_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    revival: Revival
    replayed: bool
    request_id: str
    def __init__(self, revival: _Optional[_Union[Revival, _Mapping]] = ..., replayed: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class Revival(_message.Message):
    __slots__ = ("revival_id", "agent_id", "outreach_mode", "state", "revived", "skipped_dead", "skipped_no_open_channel", "skipped_moved_on", "remaining", "request_id", "actor", "accepted_at", "finished_at")
    REVIVAL_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTREACH_MODE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REVIVED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_DEAD_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_NO_OPEN_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_MOVED_ON_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    revival_id: str
    agent_id: str
    outreach_mode: _lead_pb2.OutreachMode
    state: RevivalState
    revived: int
    skipped_dead: int
    skipped_no_open_channel: int
    skipped_moved_on: int
    remaining: int
    request_id: str
    actor: _lead_pb2.Actor
    accepted_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    def __init__(self, revival_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., outreach_mode: _Optional[_Union[_lead_pb2.OutreachMode, str]] = ..., state: _Optional[_Union[RevivalState, str]] = ..., revived: _Optional[int] = ..., skipped_dead: _Optional[int] = ..., skipped_no_open_channel: _Optional[int] = ..., skipped_moved_on: _Optional[int] = ..., remaining: _Optional[int] = ..., request_id: _Optional[str] = ..., actor: _Optional[_Union[_lead_pb2.Actor, _Mapping]] = ..., accepted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetRevivalRequest(_message.Message):
    __slots__ = ("revival_id",)
    REVIVAL_ID_FIELD_NUMBER: _ClassVar[int]
    revival_id: str
    def __init__(self, revival_id: _Optional[str] = ...) -> None: ...

class GetRevivalResponse(_message.Message):
    __slots__ = ("revival",)
    REVIVAL_FIELD_NUMBER: _ClassVar[int]
    revival: Revival
    def __init__(self, revival: _Optional[_Union[Revival, _Mapping]] = ...) -> None: ...

class ListRevivalsRequest(_message.Message):
    __slots__ = ("agent_id", "page_size", "page_token")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    page_size: int
    page_token: str
    def __init__(self, agent_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRevivalsResponse(_message.Message):
    __slots__ = ("revivals", "next_page_token")
    REVIVALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    revivals: _containers.RepeatedCompositeFieldContainer[Revival]
    next_page_token: str
    def __init__(self, revivals: _Optional[_Iterable[_Union[Revival, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Agent(_message.Message):
    __slots__ = ("agent_id", "outreach_mode", "mode_set_at", "revival_id")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTREACH_MODE_FIELD_NUMBER: _ClassVar[int]
    MODE_SET_AT_FIELD_NUMBER: _ClassVar[int]
    REVIVAL_ID_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    outreach_mode: _lead_pb2.OutreachMode
    mode_set_at: _timestamp_pb2.Timestamp
    revival_id: str
    def __init__(self, agent_id: _Optional[str] = ..., outreach_mode: _Optional[_Union[_lead_pb2.OutreachMode, str]] = ..., mode_set_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revival_id: _Optional[str] = ...) -> None: ...

class GetAgentRequest(_message.Message):
    __slots__ = ("agent_id",)
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    def __init__(self, agent_id: _Optional[str] = ...) -> None: ...

class GetAgentResponse(_message.Message):
    __slots__ = ("agent",)
    AGENT_FIELD_NUMBER: _ClassVar[int]
    agent: Agent
    def __init__(self, agent: _Optional[_Union[Agent, _Mapping]] = ...) -> None: ...

class ListAgentsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAgentsResponse(_message.Message):
    __slots__ = ("agents", "next_page_token")
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    agents: _containers.RepeatedCompositeFieldContainer[Agent]
    next_page_token: str
    def __init__(self, agents: _Optional[_Iterable[_Union[Agent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class LeaseFollowUpsRequest(_message.Message):
    __slots__ = ("agent_id", "max_follow_ups", "lease_duration", "wait")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_FOLLOW_UPS_FIELD_NUMBER: _ClassVar[int]
    LEASE_DURATION_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    max_follow_ups: int
    lease_duration: _duration_pb2.Duration
    wait: _duration_pb2.Duration
    def __init__(self, agent_id: _Optional[str] = ..., max_follow_ups: _Optional[int] = ..., lease_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LeaseFollowUpsResponse(_message.Message):
    __slots__ = ("follow_ups", "next_due_at")
    FOLLOW_UPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_DUE_AT_FIELD_NUMBER: _ClassVar[int]
    follow_ups: _containers.RepeatedCompositeFieldContainer[FollowUp]
    next_due_at: _timestamp_pb2.Timestamp
    def __init__(self, follow_ups: _Optional[_Iterable[_Union[FollowUp, _Mapping]]] = ..., next_due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FollowUp(_message.Message):
    __slots__ = ("follow_up_id", "lease_token", "lead", "due_at", "lease_expires_at")
    FOLLOW_UP_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LEAD_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    LEASE_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    follow_up_id: str
    lease_token: str
    lead: _lead_pb2.Lead
    due_at: _timestamp_pb2.Timestamp
    lease_expires_at: _timestamp_pb2.Timestamp
    def __init__(self, follow_up_id: _Optional[str] = ..., lease_token: _Optional[str] = ..., lead: _Optional[_Union[_lead_pb2.Lead, _Mapping]] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lease_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CompleteFollowUpRequest(_message.Message):
    __slots__ = ("follow_up_id", "lease_token")
    FOLLOW_UP_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    follow_up_id: str
    lease_token: str
    def __init__(self, follow_up_id: _Optional[str] = ..., lease_token: _Optional[str] = ...) -> None: ...

class CompleteFollowUpResponse(_message.Message):
    __slots__ = ("next_follow_up_at",)
    NEXT_FOLLOW_UP_AT_FIELD_NUMBER: _ClassVar[int]
    next_follow_up_at: _timestamp_pb2.Timestamp
    def __init__(self, next_follow_up_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetFunnelRequest(_message.Message):
    __slots__ = ("agent_id", "start_at", "end_at", "counts_only")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    START_AT_FIELD_NUMBER: _ClassVar[int]
    END_AT_FIELD_NUMBER: _ClassVar[int]
    COUNTS_ONLY_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    start_at: _timestamp_pb2.Timestamp
    end_at: _timestamp_pb2.Timestamp
    counts_only: bool
    def __init__(self, agent_id: _Optional[str] = ..., start_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., counts_only: bool = ...) -> None: ...

class GetFunnelResponse(_message.Message):
    __slots__ = ("stages", "cursor", "at", "counts_only")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    COUNTS_ONLY_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedCompositeFieldContainer[StageFunnel]
    cursor: str
    at: _timestamp_pb2.Timestamp
    counts_only: bool
    def __init__(self, stages: _Optional[_Iterable[_Union[StageFunnel, _Mapping]]] = ..., cursor: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., counts_only: bool = ...) -> None: ...

class StageFunnel(_message.Message):
    __slots__ = ("stage", "leads", "entries", "next_stages", "visits", "median_time_in_stage", "p90_time_in_stage")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    LEADS_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_STAGES_FIELD_NUMBER: _ClassVar[int]
    VISITS_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_TIME_IN_STAGE_FIELD_NUMBER: _ClassVar[int]
    P90_TIME_IN_STAGE_FIELD_NUMBER: _ClassVar[int]
    stage: _lead_pb2.Stage
    leads: int
    entries: int
    next_stages: _containers.RepeatedCompositeFieldContainer[NextStage]
    visits: int
    median_time_in_stage: _duration_pb2.Duration
    p90_time_in_stage: _duration_pb2.Duration
    def __init__(self, stage: _Optional[_Union[_lead_pb2.Stage, str]] = ..., leads: _Optional[int] = ..., entries: _Optional[int] = ..., next_stages: _Optional[_Iterable[_Union[NextStage, _Mapping]]] = ..., visits: _Optional[int] = ..., median_time_in_stage: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., p90_time_in_stage: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class NextStage(_message.Message):
    __slots__ = ("stage", "leads", "share")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    LEADS_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    stage: _lead_pb2.Stage
    leads: int
    share: float
    def __init__(self, stage: _Optional[_Union[_lead_pb2.Stage, str]] = ..., leads: _Optional[int] = ..., share: _Optional[float] = ...) -> None: ...

class ListWatchersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListWatchersResponse(_message.Message):
    __slots__ = ("watchers", "next_page_token")
    WATCHERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    watchers: _containers.RepeatedCompositeFieldContainer[Watcher]
    next_page_token: str
    def __init__(self, watchers: _Optional[_Iterable[_Union[Watcher, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Watcher(_message.Message):
    __slots__ = ("id", "peer", "client_name", "filter", "include_unchanged", "positions", "behind", "since", "slow")
    ID_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SLOW_FIELD_NUMBER: _ClassVar[int]
    id: int
    peer: str
    client_name: str
    filter: WatchFilter
    include_unchanged: bool
    positions: _containers.RepeatedCompositeFieldContainer[WatcherPosition]
    behind: int
    since: _timestamp_pb2.Timestamp
    slow: bool
    def __init__(self, id: _Optional[int] = ..., peer: _Optional[str] = ..., client_name: _Optional[str] = ..., filter: _Optional[_Union[WatchFilter, _Mapping]] = ..., include_unchanged: bool = ..., positions: _Optional[_Iterable[_Union[WatcherPosition, _Mapping]]] = ..., behind: _Optional[int] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., slow: bool = ...) -> None: ...

class WatcherPosition(_message.Message):
    __slots__ = ("partition", "position")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    partition: int
    position: int
    def __init__(self, partition: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class Coverage(_message.Message):
    __slots__ = ("partition", "after", "through")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    partition: int
    after: int
    through: int
    def __init__(self, partition: _Optional[int] = ..., after: _Optional[int] = ..., through: _Optional[int] = ...) -> None: ...
