//! When the service is to look at leads, and how long they were in their stages.

use super::finding::{Kind, Report};
use crate::domain::{Lead, Stage, Timestamp};
use crate::store::{Audit, AuditHead, LeadTimes, StoreError};

/// Rows of one read.
const PAGE: i64 = 1000;

/// As for the requests: the first ones tell enough.
const FEW: i64 = 20;

/// Checks the times of a partition's leads and entries, as far as they tell by themselves.
pub async fn check(audit: &mut Audit, row: &AuditHead, report: &mut Report) -> Result<(), StoreError> {
    let partition = row.partition;
    for (lead_id, version) in audit.wrong_visits(partition, row.head.position, FEW).await? {
        let place = format!("lead {lead_id}, version {version} (partition {partition})");
        report.add(Kind::VisitDiffers, place, "the time of the entry that began the visit, if it ends one", "another");
    }
    let mut after = String::new();
    loop {
        let page = audit.times(partition, &after, PAGE).await?;
        let last_page = page.len() < PAGE as usize;
        for times in page.into_iter().flatten() {
            after = times.lead_id.to_string();
            check_timer(&times, report);
            check_look(&times, report);
        }
        if last_page {
            return Ok(());
        }
    }
}

/// The timer may be early, never late, and there is none for nothing.
fn check_timer(lead: &LeadTimes, report: &mut Report) {
    let LeadTimes { stage, dead, meeting_ends_at, timer_at, .. } = lead;
    let expected = match (stage, meeting_ends_at, timer_at) {
        (Stage::Scheduled, Some(end), at) if dead.is_none() => {
            if at.is_some_and(|at| at <= *end) {
                return;
            }
            format!("{end:?} at the latest")
        }
        (_, _, None) => return,
        (Stage::Engaged | Stage::Qualified, _, _) if dead.is_none() => return,
        _ => format!("none in {stage}, dead: {dead:?}"),
    };
    report.add(Kind::TimerBroken, place(lead), expected, format_args!("{timer_at:?}"));
}

/// Only the stages that have follow-ups have them, and none is looked for too late.
fn check_look(lead: &LeadTimes, report: &mut Report) {
    let LeadTimes { stage, dead, follow_up_at, follow_up_look_at, .. } = lead;
    let expected = match (stage, follow_up_at, follow_up_look_at) {
        (_, Some(_), _) if dead.is_some() => "no follow-up, as the lead is dead".to_owned(),
        (Stage::Contacted | Stage::Nurture, Some(at), Some(look_at)) if look_at <= at => return,
        (Stage::Contacted | Stage::Nurture, Some(at), _) => format!("a look for it at {at:?} at the latest"),
        (Stage::Nurture, None, _) if dead.is_none() => "a follow-up in NURTURE".to_owned(),
        (_, None, None) => return,
        _ => format!("no follow-up in {stage}"),
    };
    let found = format!("due at {follow_up_at:?}, looked for at {follow_up_look_at:?}");
    report.add(Kind::FollowUpBroken, place(lead), expected, found);
}

fn place(lead: &LeadTimes) -> String {
    format!("lead {}", lead.lead_id)
}

/// A lead's follow-up is what its history makes of it. A completion leaves no entry: in NURTURE it moves the next one on,
/// else there is none any more.
pub fn check_follow_up(folded: &Lead, stored: &Lead, report: &mut Report) {
    let nurtured = stored.stage == Stage::Nurture;
    let sound = match (folded.next_follow_up_at, stored.next_follow_up_at) {
        (Some(due), Some(at)) => {
            if nurtured {
                at >= due
            } else {
                at == due
            }
        }
        (Some(_), None) => !nurtured,
        (None, at) => at.is_none(),
    };
    if !sound {
        let shown = |at: Option<Timestamp>| at.map_or("none".to_owned(), |at| format!("due at {at:?}"));
        let expected = format!("{}{}", shown(folded.next_follow_up_at), if nurtured { " at the earliest" } else { "" });
        let place = format!("lead {}", stored.id);
        report.add(Kind::FollowUpBroken, place, expected, shown(stored.next_follow_up_at));
    }
}
