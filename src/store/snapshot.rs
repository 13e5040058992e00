//! Pages of a snapshot: leads as they stand, with the head that shows how much of the log is in them.

use super::rows::{LeadRow, StoredLead};
use super::types::PgTimestamp;
use super::{Mark, Store, StoreError};
use crate::domain::{AgentId, Lead, LeadId, Stage};

/// Which leads of a partition a page holds.
#[derive(Clone, Copy, Debug)]
pub struct PageOf<'a> {
    pub partition: i32,
    /// The page begins behind this lead.
    pub after: Option<&'a LeadId>,
    /// Leads at most; a page with fewer is the last.
    pub limit: i64,
    /// Empty: any.
    pub stages: &'a [Stage],
    /// Empty: any. In order.
    pub leads: &'a [&'a LeadId],
    /// Empty: any.
    pub agents: &'a [&'a AgentId],
}

/// Leads in the order of their ids, as they stood at the partition's head.
#[derive(Debug)]
pub struct LeadPage {
    pub head: Mark,
    pub leads: Vec<Lead>,
}

impl Store {
    /// A page of a snapshot, in one statement.
    pub async fn lead_page(&self, page: PageOf<'_>) -> Result<LeadPage, StoreError> {
        let after = page.after.map_or("", LeadId::as_str);
        let stages: Vec<i16> = page.stages.iter().map(|stage| stage.code()).collect();
        let leads: Vec<&str> = page.leads.iter().map(|lead_id| lead_id.as_str()).collect();
        let agents: Vec<&str> = page.agents.iter().map(|agent| agent.as_str()).collect();
        let rows = self
            .repeat(|| {
                sqlx::query_file_as!(
                    PageRow,
                    "src/store/snapshot.sql",
                    page.partition,
                    after,
                    page.limit,
                    &stages,
                    &leads as &[&str],
                    &agents as &[&str],
                )
                .fetch_all(&self.pool)
            })
            .await?;
        let head = rows.first().map_or(Mark::default(), |row| Mark { position: row.position, tag: row.tag });
        let leads = rows.into_iter().filter_map(PageRow::lead).map(|row| Ok(StoredLead::try_from(row)?.lead));
        Ok(LeadPage { head, leads: leads.collect::<Result<_, StoreError>>()? })
    }
}

/// A row of `snapshot.sql`: the head, and a lead if there is any.
struct PageRow {
    position: i64,
    tag: i64,
    lead_id: Option<String>,
    agent_id: Option<String>,
    version: Option<i32>,
    lead_tag: Option<i64>,
    stage: Option<i16>,
    furthest_stage: Option<i16>,
    dead_reason: Option<i16>,
    email: Option<i16>,
    sms: Option<i16>,
    voice: Option<i16>,
    email_failures: Option<i32>,
    phone_failures: Option<i32>,
    meeting_id: Option<String>,
    meeting_starts_at: Option<PgTimestamp>,
    meeting_ends_at: Option<PgTimestamp>,
    created_at: Option<PgTimestamp>,
    stage_entered_at: Option<PgTimestamp>,
    last_outreach_at: Option<PgTimestamp>,
    last_reply_at: Option<PgTimestamp>,
    follow_up_at: Option<PgTimestamp>,
}

impl PageRow {
    fn lead(self) -> Option<LeadRow> {
        Some(LeadRow {
            lead_id: self.lead_id?,
            agent_id: self.agent_id?,
            version: self.version?,
            tag: self.lead_tag?,
            stage: self.stage?,
            furthest_stage: self.furthest_stage?,
            dead_reason: self.dead_reason,
            email: self.email?,
            sms: self.sms?,
            voice: self.voice?,
            email_failures: self.email_failures?,
            phone_failures: self.phone_failures?,
            meeting_id: self.meeting_id,
            meeting_starts_at: self.meeting_starts_at,
            meeting_ends_at: self.meeting_ends_at,
            created_at: self.created_at?,
            stage_entered_at: self.stage_entered_at?,
            last_outreach_at: self.last_outreach_at,
            last_reply_at: self.last_reply_at,
            follow_up_at: self.follow_up_at,
        })
    }
}
