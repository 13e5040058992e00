//! ListLeads by time in stage and by next follow-up, together with the other filters: against a look at every lead.

use crate::support::errors::failed;
use crate::support::requests::{all_leads, applied, create, message_sent, opted_out, overridden, time, trigger};
use crate::support::server::{Client, Database, server, server_with};
use lead_pipeline::proto::{CreateLeadRequest, Lead, ListLeadsRequest, Stage};
use prost_types::{Duration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;

const DAY: i64 = 86_400;

/// Leads in many stages, since some days, dead ones and such that wait for a follow-up.
async fn some_leads(client: &mut Client, database: &mut Database) {
    let mut random = StdRng::seed_from_u64(5);
    for number in 0..60 {
        let (lead_id, agent_id) = (format!("lead-{number}"), ["anna", "ben"][number % 2].to_owned());
        client.create_lead(CreateLeadRequest { agent_id, ..create(&lead_id) }).await.expect("created");
        if number % 10 == 3 {
            applied(client, &lead_id, opted_out()).await;
        }
        let stages = [Stage::Contacted, Stage::Nurture, Stage::Nurture, Stage::Exhausted, Stage::Won, Stage::Qualified];
        if number % 7 != 0 {
            overridden(client, &lead_id, stages[random.random_range(0..stages.len())]).await;
        }
        if number % 5 == 0 {
            overridden(client, &lead_id, Stage::Exhausted).await;
            overridden(client, &lead_id, Stage::Contacted).await;
        }
        if number % 6 == 0 {
            database.move_time(random.random_range(DAY / 2..DAY)).await;
        }
        if number % 3 == 0 {
            // Puts a check-in off without a write to the index. It may be refused.
            client.apply_trigger(trigger(&format!("lead-{}", number / 2), message_sent())).await.ok();
        }
    }
}

fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(|time| time.seconds * 1_000_000 + i64::from(time.nanos) / 1000)
}

/// Whether a lead is to be listed at a time; `None` if it is too near to tell.
fn meant(lead: &Lead, request: &ListLeadsRequest, now: i64) -> Option<bool> {
    let since = now - micros(lead.stage_entered_at).expect("a time");
    let span = |duration: &Duration| duration.seconds * 1_000_000;
    for bound in request.min_time_in_stage.iter().chain(&request.max_time_in_stage) {
        if (since - span(bound)).abs() < 60_000_000 {
            return None;
        }
    }
    let follow_up = micros(lead.next_follow_up_at);
    Some(
        (request.agent_id.is_empty() || request.agent_id == lead.agent_id)
            && (request.stages.is_empty() || request.stages.contains(&lead.stage))
            && request.dead.is_none_or(|dead| dead == (lead.dead_reason != 0))
            && request.min_time_in_stage.is_none_or(|least| since >= span(&least))
            && request.max_time_in_stage.is_none_or(|most| since <= span(&most))
            && micros(request.next_follow_up_before).is_none_or(|before| follow_up.is_some_and(|at| at < before)),
    )
}

async fn paged(client: &mut Client, request: &ListLeadsRequest, page_size: i32) -> Vec<Lead> {
    let mut request = ListLeadsRequest { page_size, ..request.clone() };
    let mut leads = Vec::new();
    loop {
        let page = client.list_leads(request.clone()).await.expect("a page").into_inner();
        assert!(page.leads.len() <= page_size as usize && (page.next_page_token.is_empty() || !page.leads.is_empty()));
        leads.extend(page.leads);
        if page.next_page_token.is_empty() {
            return leads;
        }
        request.page_token = page.next_page_token;
    }
}

fn a_filter(random: &mut StdRng, now: i64) -> ListLeadsRequest {
    let mut days = |of: i64| {
        let chosen = random.random_range(0..2 * of);
        (chosen < of).then(|| Duration { seconds: chosen * DAY + 43_200, nanos: 0 })
    };
    let (least, most) = (days(4), days(9));
    let swapped = least.zip(most).is_some_and(|(least, most)| least.seconds > most.seconds);
    let stages = [Stage::New, Stage::Contacted, Stage::Nurture, Stage::Exhausted, Stage::Won, Stage::Qualified];
    let chosen: BTreeSet<i32> =
        (0..random.random_range(0..4)).map(|_| stages[random.random_range(0..stages.len())].into()).collect();
    ListLeadsRequest {
        agent_id: ["", "", "anna", "ben"][random.random_range(0..4)].into(),
        stages: chosen.into_iter().collect(),
        dead: [None, None, Some(true), Some(false)][random.random_range(0..4)],
        min_time_in_stage: if swapped { most } else { least },
        max_time_in_stage: if swapped { least } else { most },
        next_follow_up_before: random.random_bool(0.4).then(|| time(now + random.random_range(-3..16) * DAY)),
        ..Default::default()
    }
}

#[tokio::test]
async fn any_filters_together_list_the_leads_that_all_of_them_mean() {
    let server = server().await;
    let (mut client, mut database) = (server.client(), server.database().await);
    some_leads(&mut client, &mut database).await;
    let all = all_leads(&mut client).await;
    assert!(all.iter().filter(|lead| lead.next_follow_up_at.is_some()).count() > 10, "follow-ups to be found");
    let mut random = StdRng::seed_from_u64(6);
    let (mut found, mut sure) = (0, 0);
    for _ in 0..150 {
        let now = database.time().await;
        let request = a_filter(&mut random, now);
        let page_size = random.random_range(1..9);
        let listed = paged(&mut client, &request, page_size).await;
        let names: BTreeSet<&str> = listed.iter().map(|lead| lead.lead_id.as_str()).collect();
        assert_eq!(names.len(), listed.len(), "each once: {request:?}");
        for lead in &all {
            if let Some(meant) = meant(lead, &request, now * 1_000_000) {
                assert_eq!(names.contains(lead.lead_id.as_str()), meant, "{request:?}\n{lead:?}");
                sure += 1;
            }
        }
        assert!(listed.iter().all(|listed| all.contains(listed)), "as they are");
        found += listed.len();
    }
    assert!(found > 300 && sure > 8_000, "{found} found, {sure} sure");
}

/// "Who has been CONTACTED for more than 3 days": the bound is exact, and included.
#[tokio::test]
async fn the_time_of_the_first_page_counts_for_all() {
    let server = server_with(&["--partitions=1"]).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    for number in 0..4 {
        client.create_lead(create(&format!("lead-{number}"))).await.expect("created");
        applied(&mut client, &format!("lead-{number}"), message_sent()).await;
        database.move_time(2 * DAY).await;
    }
    let request = ListLeadsRequest {
        stages: vec![Stage::Contacted.into()],
        min_time_in_stage: Some(Duration { seconds: 3 * DAY, nanos: 0 }),
        page_size: 1,
        ..Default::default()
    };
    let first = client.list_leads(request.clone()).await.expect("a page").into_inner();
    assert_eq!(first.leads[0].lead_id, "lead-0", "the longest first");
    database.move_time(10 * DAY).await;
    let mut rest = Vec::new();
    let mut next = ListLeadsRequest { page_token: first.next_page_token, ..request.clone() };
    while !next.page_token.is_empty() {
        let page = client.list_leads(next.clone()).await.expect("a page").into_inner();
        rest.extend(page.leads.into_iter().map(|lead| lead.lead_id));
        next.page_token = page.next_page_token;
    }
    assert_eq!(rest, ["lead-1", "lead-2"], "lead-3 is as young as it was with the first page");
    assert_eq!(paged(&mut client, &request, 1).await.len(), 4);
}

#[tokio::test]
async fn tokens_belong_to_their_filter_and_wrong_fields_are_named() {
    let server = server().await;
    let (mut client, mut database) = (server.client(), server.database().await);
    some_leads(&mut client, &mut database).await;
    let span = |seconds, nanos| Some(Duration { seconds, nanos });
    let before = Some(time(database.time().await + 30 * DAY));
    let filters = [
        ListLeadsRequest { min_time_in_stage: span(1, 0), ..Default::default() },
        ListLeadsRequest { min_time_in_stage: span(2, 0), ..Default::default() },
        ListLeadsRequest { max_time_in_stage: span(30 * DAY, 0), ..Default::default() },
        ListLeadsRequest { next_follow_up_before: before, ..Default::default() },
        ListLeadsRequest { next_follow_up_before: before, dead: Some(false), ..Default::default() },
        ListLeadsRequest::default(),
    ];
    for (number, filter) in filters.iter().enumerate() {
        let page = ListLeadsRequest { page_size: 1, ..filter.clone() };
        let token = client.list_leads(page).await.expect("a page").into_inner().next_page_token;
        assert_ne!(token, "", "{filter:?}");
        for (_, other) in filters.iter().enumerate().filter(|(other, _)| *other != number) {
            let foreign = ListLeadsRequest { page_token: token.clone(), ..other.clone() };
            failed(client.list_leads(foreign).await).names(&["page_token"]);
        }
        let (now, rest) = token.split_once('.').expect("two parts");
        let bad =
            ["x", ".", "..", "1.", &format!(".{rest}"), &format!("{now}1.{rest}"), &format!("{}.{rest}", i64::MIN)];
        for bad in bad.into_iter().chain([now, rest, &format!("{token}A"), &format!("{now}.x"), "\u{0}.\u{0}"]) {
            let page = ListLeadsRequest { page_token: bad.into(), ..filter.clone() };
            failed(client.list_leads(page).await).names(&["page_token"]);
        }
    }
    for wrong in [span(-1, 0), span(0, -1), span(0, 1_000_000_000), span(i64::MAX, 0)] {
        let least = ListLeadsRequest { min_time_in_stage: wrong, ..Default::default() };
        failed(client.list_leads(least).await).names(&["min_time_in_stage"]);
        let most = ListLeadsRequest { max_time_in_stage: wrong, ..Default::default() };
        failed(client.list_leads(most).await).names(&["max_time_in_stage"]);
    }
    let crossed =
        ListLeadsRequest { min_time_in_stage: span(2, 0), max_time_in_stage: span(1, 0), ..Default::default() };
    failed(client.list_leads(crossed).await).names(&["max_time_in_stage"]);
    let wrong = ListLeadsRequest { next_follow_up_before: Some(time(i64::MAX)), ..Default::default() };
    failed(client.list_leads(wrong).await).names(&["next_follow_up_before"]);
    // As long as a time may be.
    let ages = ListLeadsRequest { max_time_in_stage: span(315_576_000_000, 0), page_size: 100, ..Default::default() };
    assert_eq!(client.list_leads(ages).await.expect("all").into_inner().leads.len(), 60);
    let ages = ListLeadsRequest { min_time_in_stage: span(315_576_000_000, 0), ..Default::default() };
    assert_eq!(client.list_leads(ages).await.expect("none").into_inner().leads, []);
    for (before, some) in [(-62_135_596_800, false), (253_402_300_799, true)] {
        let ends = ListLeadsRequest { next_follow_up_before: Some(time(before)), ..Default::default() };
        assert_eq!(!client.list_leads(ends).await.expect("a page").into_inner().leads.is_empty(), some);
    }
}
