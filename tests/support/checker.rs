//! Checks a whole database after the fact: what must hold of every history, whatever happened on the way. Of history
//! that was pruned it checks what is left.

use super::server::Database;
use lead_pipeline::domain::{
    Action, Context, Creation, Decision, Lead, OutreachMode, Override, Timestamp, create, decide,
};
use lead_pipeline::store::{Cause, ConnectSettings, Entry, History, LeadFilter, Store, connect};
use sqlx::{AssertSqlSafe, Row};
use std::time::Duration;

/// What a sound database holds; the entries that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    pub leads: i64,
    pub entries: i64,
}

/// Each rule, and a query for what breaks it: one text a breach.
const RULES: [(&str, &str); 11] = [
    (
        "positions are dense in each partition, from its floor to its head",
        "select 'partition ' || partition from heads left join entries using (partition) group by partition
         having coalesce(min(entries.position), floor + 1) <> floor + 1
             or heads.position <> floor + count(entries.position)",
    ),
    (
        "the head row is its partition's last entry",
        "select 'partition ' || heads.partition from heads
         left join (select distinct on (partition) partition, position, tag, recorded_at from entries
                    order by partition, position desc) as last using (partition)
         where heads.position <> coalesce(last.position, floor) or heads.tag <> coalesce(last.tag, floor_tag)
            or heads.recorded_at <> coalesce(last.recorded_at, heads.recorded_at)",
    ),
    (
        "versions are dense in each lead",
        "select lead_id from entries join heads using (partition) group by partition, lead_id, floor
         having max(version) - min(version) <> count(*) - 1 or (min(version) > 1 and floor = 0)",
    ),
    (
        "the lead row is its last entry, if that is kept",
        "select lead_id from leads
         full join (select distinct on (partition, lead_id) partition, lead_id, agent_id, version, tag, to_stage,
                           dead_reason from entries order by partition, lead_id, version desc) as last
             using (partition, lead_id)
         join heads using (partition)
         where (last.version is not null or floor = 0) and ((leads.version, leads.tag, leads.stage, leads.agent_id)
                is distinct from (last.version, last.tag, last.to_stage, last.agent_id)
            or leads.dead_reason is distinct from last.dead_reason)",
    ),
    (
        "each entry begins in the stage where the one before ended",
        "select lead_id || ' version ' || version from (
             select *, lag(to_stage) over (partition by partition, lead_id order by version) as before from entries
         ) as chain where from_stage is distinct from before and (before is not null or version = 1)",
    ),
    (
        "versions and positions go the same way",
        "select lead_id || ' version ' || version from (
             select *, lag(position) over (partition by partition, lead_id order by version) as before from entries
         ) as chain where position <= before",
    ),
    (
        "recorded_at never goes backwards in a partition",
        "select 'partition ' || partition || ' position ' || position from (
             select *, lag(recorded_at) over (partition by partition order by position) as before from entries
         ) as log where recorded_at < before",
    ),
    (
        "a request has one effect on a lead: steps 0 and 1 at most, side by side, of one content",
        "select lead_id || ' request ' || request_id from entries group by partition, lead_id, request_id
         having min(step) <> 0 or max(step) <> count(*) - 1 or max(step) > 1 or count(distinct digest) <> 1
             or max(version) - min(version) <> count(*) - 1",
    ),
    (
        "a request is kept or pruned, not both",
        "select lead_id || ' request ' || request_id from entries
         join pruned_requests using (partition, lead_id, request_id)",
    ),
    (
        "each pruned entry, and no other, has a pruned request: one request, one entry or two",
        "select 'partition ' || partition from heads
         left join (select partition, count(*) as requests from pruned_requests group by partition) as pruned
             using (partition)
         where coalesce(requests, 0) not between (floor + 1) / 2 and floor",
    ),
    ("tags tell entries apart", "select 'tag ' || tag from entries group by tag having count(*) > 1"),
];

/// Fails unless everything in the database is as it must be.
pub async fn check(url: &str) -> Sound {
    let mut database = Database::connect(url).await;
    for (rule, query) in RULES {
        let breaches =
            sqlx::query(AssertSqlSafe(query)).fetch_all(&mut database.0).await.expect("a rule can be checked");
        let breaches: Vec<String> = breaches.iter().map(|row| row.get(0)).collect();
        assert!(breaches.is_empty(), "{rule}, but not here: {breaches:?}");
    }
    let leads = database.number("select count(*) from leads").await;
    let entries = database.number("select count(*) from entries").await;
    check_folds(url, leads).await;
    Sound { leads, entries }
}

/// Every lead's row is what its history makes of it, by the domain's own rules. One whose history was pruned says only
/// where the rest begins.
async fn check_folds(url: &str, count: i64) {
    let store = store(url).await;
    let leads = store.leads(&LeadFilter::default(), None, count + 1).await.expect("the leads");
    assert_eq!(leads.len() as i64, count, "no lead is in a partition where it isn't looked for");
    for lead in leads {
        let History { first_version, entries } =
            store.history(&lead.id, 0, i64::MAX).await.expect("the history").expect("of a lead that is there");
        let kept = entries.first().map_or(lead.version + 1, |entry| entry.version);
        assert_eq!(first_version, kept, "the history says where it begins");
        if first_version == 1 {
            assert_eq!(fold(&store, &lead, &entries), lead, "the row is the fold of the history");
        }
    }
    store.close().await;
}

/// The store, as the server has it.
async fn store(url: &str) -> Store {
    let settings = ConnectSettings {
        url: url.into(),
        read_connections: 2,
        read_patience: Duration::from_mins(1),
        connect_timeout: Duration::from_secs(30),
        partitions: 4,
        allow_unsafe: true,
    };
    connect(&settings).await.expect("the store")
}

fn fold(store: &Store, lead: &Lead, history: &[Entry]) -> Lead {
    let mut folded: Option<Lead> = None;
    for entry in history.iter().filter(|entry| entry.step == 0) {
        assert_eq!(entry.partition, store.partition_of(lead.id.as_str()), "entries are in the lead's partition");
        let decision = decided(folded.as_ref(), entry);
        let recorded = history.iter().filter(|other| other.request_id == entry.request_id);
        let steps = recorded.map(|entry| (entry.from, entry.to, entry.dead, entry.dead_raised));
        let expected = decision.steps.iter().map(|step| (step.from, step.to, step.dead, step.dead_raised));
        assert!(steps.eq(expected), "the entries are what the decision says: {entry:?}");
        folded = Some(stamped(decision, entry.recorded_at));
    }
    folded.expect("every lead has a history")
}

fn decided(before: Option<&Lead>, entry: &Entry) -> Decision {
    let context = Context { mode: OutreachMode::Blended, now: entry.recorded_at, failures_until_bad: 3 };
    let act = |action| decide(before.expect("a creation comes first"), context, &action).expect("what was accepted");
    match entry.cause.clone() {
        Cause::Creation { contact_points } => {
            assert!(before.is_none(), "a lead is created once");
            let (lead_id, agent) = (entry.lead_id.clone(), entry.agent.clone());
            create(&Creation { lead_id, agent, contact_points }, entry.recorded_at)
        }
        Cause::Override { meeting, reopen_channels } => {
            act(Action::Override(Override { stage: entry.to, meeting, reopen_channels }))
        }
        Cause::Trigger(trigger) => act(Action::Trigger(trigger)),
    }
}

/// The lead with the moments that the decision leaves to the recording.
fn stamped(decision: Decision, at: Timestamp) -> Lead {
    let mut lead = decision.lead;
    if decision.stamps.stage_entered {
        lead.stage_entered_at = at;
    }
    if decision.stamps.outreach {
        lead.last_outreach_at = Some(at);
    }
    if decision.stamps.reply {
        lead.last_reply_at = Some(at);
    }
    lead
}
