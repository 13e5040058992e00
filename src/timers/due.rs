//! Leads whose meeting ends or that have gone quiet: each gets its trigger, as a command that expects the version that
//! was read. Every replica may send it: the first one counts.

use super::TimerSettings;
use crate::domain::{
    Action, Actor, ActorId, ActorKind, Lead, Reason, RequestId, Span, Stage, Timestamp, Trigger, TriggerKind,
};
use crate::store::{Digest, Store, StoreError, StoredLead};
use crate::writer::{Body, Command, CommandError, Writers};
use futures::future::join_all;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The service itself, as the actor of what it does.
const SELF: &str = "lead-pipeline";

/// The namespace of the ids of what it does. Never change it: ids are kept for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x7c9a_2b7e_51d0_4f7c_9a3e_6b1f_d2c4_8e05);

/// How long a command may take; the next look sends it again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Leads of a page while the timers of a conversation are set anew.
const PAGE: i64 = 1000;

/// What is to become of a lead whose timer has come.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Apply(Trigger),
    /// Look again then, or not at all.
    Later(Option<Timestamp>),
}

pub(super) struct Timers {
    store: Store,
    writers: Writers,
    settings: TimerSettings,
}

impl Timers {
    pub(super) const fn new(store: Store, writers: Writers, settings: TimerSettings) -> Self {
        Self { store, writers, settings }
    }

    /// Looks what is due, again and again.
    pub(super) async fn run(self) {
        if let Some(quiet_after) = self.settings.quiet_after {
            tokio::join!(self.look(), self.set_quiet(quiet_after));
        } else {
            self.look().await;
        }
    }

    async fn look(&self) {
        let mut tick = tokio::time::interval(self.settings.interval);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let partitions = (0..self.store.partitions()).map(|partition| self.look_at(partition));
            for error in join_all(partitions).await.into_iter().filter_map(Result::err) {
                tracing::debug!(%error, "looking for what is due failed");
            }
        }
    }

    /// Everything of a partition that is due.
    async fn look_at(&self, partition: i32) -> Result<(), StoreError> {
        loop {
            let due = self.store.due(partition, self.settings.batch).await?;
            let (count, now) = (due.leads.len() as i64, due.now);
            let done = join_all(due.leads.into_iter().map(|stored| self.serve(stored, now))).await;
            let progress = done.into_iter().collect::<Result<Vec<bool>, _>>()?;
            // What can't be done now is looked at again with the next tick.
            if count < self.settings.batch || !progress.contains(&true) {
                return Ok(());
            }
        }
    }

    /// Whether the lead's timer was dealt with.
    async fn serve(&self, stored: StoredLead, now: Timestamp) -> Result<bool, StoreError> {
        match verdict(&stored.lead, self.settings.quiet_after, now) {
            Verdict::Later(at) => {
                self.store.set_timer(&stored, at).await?;
                Ok(true)
            }
            Verdict::Apply(trigger) => {
                let command = command(&stored.lead, trigger);
                let deadline = Instant::now() + PATIENCE;
                let answer = match self.writers.submit_in_turn(command, deadline).await {
                    Ok(submitted) => submitted.answer().await,
                    Err(error) => Err(error),
                };
                match answer {
                    // Moved on meanwhile, or a replica was quicker: as good.
                    Ok(_) | Err(CommandError::VersionMismatch { .. }) => Ok(true),
                    Err(error) => {
                        tracing::debug!(lead_id = %stored.lead.id, ?error, "a timer's trigger wasn't applied");
                        Ok(false)
                    }
                }
            }
        }
    }

    /// The setting may have been another one when the leads were written.
    async fn set_quiet(&self, quiet_after: Span) {
        for partition in 0..self.store.partitions() {
            let mut after = String::new();
            loop {
                match self.store.set_quiet_timers(partition, quiet_after, &after, PAGE).await {
                    Ok(Some(last)) => after = last,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::debug!(%error, "setting the timers of quiet leads failed");
                        tokio::time::sleep(self.settings.interval).await;
                    }
                }
            }
        }
    }
}

/// What is due for a lead whose timer has come. The timer may be early, never late.
fn verdict(lead: &Lead, quiet_after: Option<Span>, now: Timestamp) -> Verdict {
    match (lead.stage, &lead.meeting, quiet_after) {
        _ if lead.dead.is_some() => Verdict::Later(None),
        (Stage::Scheduled, Some(meeting), _) if meeting.ends_at > now => Verdict::Later(Some(meeting.ends_at)),
        (Stage::Scheduled, Some(meeting), _) => {
            Verdict::Apply(Trigger::MeetingTimePassed { meeting_id: meeting.id.clone() })
        }
        (Stage::Engaged | Stage::Qualified, _, Some(quiet_after)) => {
            match lead.last_reply_at.map(|at| at.after(quiet_after)).filter(|at| *at > now) {
                Some(later) => Verdict::Later(Some(later)),
                None => Verdict::Apply(Trigger::WentQuiet),
            }
        }
        _ => Verdict::Later(None),
    }
}

fn command(lead: &Lead, trigger: Trigger) -> Command {
    let what = match trigger.kind() {
        TriggerKind::MeetingTimePassed => "meeting-time-passed",
        _ => "went-quiet",
    };
    let due = format!("{}/{what}/{}", lead.id, lead.version);
    let request_id = Uuid::new_v5(&NAMESPACE, due.as_bytes());
    let mut digest = Digest::default();
    digest.copy_from_slice(request_id.as_bytes());
    Command {
        lead_id: lead.id.clone(),
        request_id: RequestId(request_id),
        digest,
        actor: Actor { kind: ActorKind::System, id: ActorId::parse(SELF).expect("it is a valid name") },
        reason: Reason::default(),
        occurred_at: None,
        expected_version: Some(lead.version),
        validate_only: false,
        body: Body::Act(Action::Trigger(trigger)),
    }
}
