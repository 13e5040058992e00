//! The service: what all calls share, and the way from each call to the file that answers it.

use super::EncodedResponse;
use super::observe::Note;
use super::server::lead_pipeline_server::LeadPipeline;
use super::{describe, follow_ups, funnel, reads, revivals, status, stream, watch, writes};
use crate::domain::{RequestId, Span, Timestamp};
use crate::proto;
use crate::reader::Reader;
use crate::store::Store;
use crate::timers::{FollowUps, Revivals};
use crate::watch::Hub;
use crate::writer::Writers;
use futures::stream::BoxStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Leads in one batch, at most: what the contract allows.
const MOST_BATCH_LEADS: usize = 1_000;

/// Limits of the calls; all are settings of the server.
#[derive(Clone, Copy, Debug)]
pub struct ServiceSettings {
    /// How long a write may take, if the caller's own deadline doesn't come first.
    pub write_patience: Duration,
    /// How many ATTEMPT_FAILED in a row make a contact point BAD.
    pub failures_until_bad: i32,
    /// Triggers of one stream that are under way.
    pub stream_window: usize,
    /// Leads in one batch.
    pub batch_leads: usize,
    /// The size of a page that isn't asked for, and the largest.
    pub page_default: i32,
    pub page_max: i32,
    /// Bytes of a page whose elements may be long, about.
    pub page_bytes: usize,
    /// How long a watch may be silent, unless its caller says.
    pub checkpoint_interval: Duration,
    /// From one check-in to the next.
    pub check_in_interval: Span,
    /// How often the progress of a revival is told.
    pub revival_progress: Duration,
    /// Follow-ups that one call leases, at most, and how long it may wait for them.
    pub lease_follow_ups: usize,
    pub lease_wait: Duration,
    /// Entries that are read one by one for a funnel.
    pub funnel_entries: i64,
}

/// What the calls are answered from.
#[derive(Debug)]
pub struct Calls {
    pub store: Store,
    pub reader: Reader,
    pub writers: Writers,
    pub hub: Arc<Hub>,
    pub revivals: Arc<Revivals>,
    pub follow_ups: FollowUps,
    pub settings: ServiceSettings,
    /// Ends the watches.
    pub going_away: CancellationToken,
}

/// The service. Until the database has been reached for the first time, every call is UNAVAILABLE.
#[derive(Clone, Debug)]
pub struct Service {
    calls: Arc<OnceLock<Calls>>,
    /// Makes the ids that callers leave to the server.
    new_id: fn() -> uuid::Uuid,
}

impl Service {
    /// A service that isn't open yet.
    #[must_use]
    pub fn new(new_id: fn() -> uuid::Uuid) -> Self {
        Self { calls: Arc::default(), new_id }
    }

    /// From now on calls are answered. The first time counts.
    pub fn open(&self, calls: Calls) {
        self.calls.set(calls).ok();
    }

    /// How many commands wait for a writer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.calls.get().map_or(0, |calls| calls.writers.waiting())
    }

    /// How many watches have fallen behind.
    #[must_use]
    pub fn slow_watchers(&self) -> usize {
        self.calls.get().map_or(0, |calls| calls.hub.slow_watchers())
    }

    /// `request_id` is set on a write.
    pub(super) fn calls(&self, request_id: Option<&str>) -> Result<&Calls, Status> {
        self.calls.get().ok_or_else(|| status::not_ready(request_id))
    }

    pub(super) fn made_id(&self) -> RequestId {
        RequestId((self.new_id)())
    }

    /// The database's time; before it has told any, the end of time, so that nothing is taken to be ahead of it.
    pub(super) fn now(&self) -> Timestamp {
        self.calls.get().map_or(Timestamp::MAX, |calls| calls.store.clock().now())
    }

    /// How many leads a batch may have.
    pub(super) fn batch_leads(&self) -> usize {
        self.calls.get().map_or(MOST_BATCH_LEADS, |calls| calls.settings.batch_leads)
    }
}

#[tonic::async_trait]
impl LeadPipeline for Service {
    type ApplyTriggersStream = BoxStream<'static, Result<proto::ApplyTriggersResponse, Status>>;
    type ReviveForModeStream = BoxStream<'static, Result<proto::ReviveForModeResponse, Status>>;
    type WatchStageChangesStream = BoxStream<'static, Result<EncodedResponse, Status>>;

    async fn create_lead(
        &self,
        request: Request<proto::CreateLeadRequest>,
    ) -> Result<Response<proto::CreateLeadResponse>, Status> {
        writes::create_lead(self, request).await.map(Response::new)
    }

    async fn batch_create_leads(
        &self,
        request: Request<proto::BatchCreateLeadsRequest>,
    ) -> Result<Response<proto::BatchCreateLeadsResponse>, Status> {
        writes::batch_create_leads(self, request).await.map(Response::new)
    }

    async fn apply_trigger(
        &self,
        request: Request<proto::ApplyTriggerRequest>,
    ) -> Result<Response<proto::ApplyTriggerResponse>, Status> {
        writes::apply_trigger(self, request).await.map(Response::new)
    }

    async fn apply_triggers(
        &self,
        request: Request<Streaming<proto::ApplyTriggersRequest>>,
    ) -> Result<Response<Self::ApplyTriggersStream>, Status> {
        stream::apply_triggers(self.clone(), request).map(Response::new)
    }

    async fn override_stage(
        &self,
        request: Request<proto::OverrideStageRequest>,
    ) -> Result<Response<proto::OverrideStageResponse>, Status> {
        writes::override_stage(self, request).await.map(Response::new)
    }

    async fn get_lead(
        &self,
        request: Request<proto::GetLeadRequest>,
    ) -> Result<Response<proto::GetLeadResponse>, Status> {
        Note::of(&request).lead(&request.get_ref().lead_id);
        reads::get_lead(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn list_leads(
        &self,
        request: Request<proto::ListLeadsRequest>,
    ) -> Result<Response<proto::ListLeadsResponse>, Status> {
        reads::list_leads(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn list_stage_changes(
        &self,
        request: Request<proto::ListStageChangesRequest>,
    ) -> Result<Response<proto::ListStageChangesResponse>, Status> {
        Note::of(&request).lead(&request.get_ref().lead_id);
        reads::list_stage_changes(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn explain_lead(
        &self,
        request: Request<proto::ExplainLeadRequest>,
    ) -> Result<Response<proto::ExplainLeadResponse>, Status> {
        Note::of(&request).lead(&request.get_ref().lead_id);
        reads::explain_lead(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn describe_pipeline(
        &self,
        _: Request<proto::DescribePipelineRequest>,
    ) -> Result<Response<proto::DescribePipelineResponse>, Status> {
        Ok(Response::new(describe::pipeline()))
    }

    async fn revive_for_mode(
        &self,
        request: Request<proto::ReviveForModeRequest>,
    ) -> Result<Response<Self::ReviveForModeStream>, Status> {
        revivals::revive_for_mode(self, request).await.map(Response::new)
    }

    async fn get_revival(
        &self,
        request: Request<proto::GetRevivalRequest>,
    ) -> Result<Response<proto::GetRevivalResponse>, Status> {
        revivals::get_revival(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn list_revivals(
        &self,
        request: Request<proto::ListRevivalsRequest>,
    ) -> Result<Response<proto::ListRevivalsResponse>, Status> {
        revivals::list_revivals(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn get_agent(
        &self,
        request: Request<proto::GetAgentRequest>,
    ) -> Result<Response<proto::GetAgentResponse>, Status> {
        revivals::get_agent(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn list_agents(
        &self,
        request: Request<proto::ListAgentsRequest>,
    ) -> Result<Response<proto::ListAgentsResponse>, Status> {
        revivals::list_agents(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn lease_follow_ups(
        &self,
        request: Request<proto::LeaseFollowUpsRequest>,
    ) -> Result<Response<proto::LeaseFollowUpsResponse>, Status> {
        follow_ups::lease(self.calls(None)?, request).await.map(Response::new)
    }

    async fn complete_follow_up(
        &self,
        request: Request<proto::CompleteFollowUpRequest>,
    ) -> Result<Response<proto::CompleteFollowUpResponse>, Status> {
        follow_ups::complete(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn get_funnel(
        &self,
        request: Request<proto::GetFunnelRequest>,
    ) -> Result<Response<proto::GetFunnelResponse>, Status> {
        funnel::get_funnel(self.calls(None)?, request.get_ref()).await.map(Response::new)
    }

    async fn list_watchers(
        &self,
        request: Request<proto::ListWatchersRequest>,
    ) -> Result<Response<proto::ListWatchersResponse>, Status> {
        watch::list_watchers(self.calls(None)?, request.get_ref()).map(Response::new)
    }

    async fn watch_stage_changes(
        &self,
        request: Request<proto::WatchStageChangesRequest>,
    ) -> Result<Response<Self::WatchStageChangesStream>, Status> {
        watch::watch_stage_changes(self.calls(None)?, request).await.map(Response::new)
    }
}
