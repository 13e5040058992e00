//! ListLeads and GetFunnel over many leads: every filter is a range of an index, whose plan is shown with its time.

use super::figures::{promise, say};
use super::stage::{Size, Stage as Scene};
use crate::plans::{LISTS, checked_query, plain};
use crate::support::requests::time;
use crate::support::server::{Client, Database};
use crate::support::wait::eventually;
use lead_pipeline::proto::{GetFunnelRequest, ListLeadsRequest, Stage};
use prost_types::Duration;
use sqlx::{AssertSqlSafe, Executor, Row};
use std::time::Instant;

/// Has the leads stand in all stages since up to a year, with follow-ups and timers, some dead.
const SPREAD: &str = "
    update leads set
        stage = 1 + n % 13, version = 1, dead_reason = case when n % 50 = 0 then 1 end,
        stage_entered_at = now() - n % 365 * interval '1 day',
        timer_at = case when 1 + n % 13 = 5 then now() + (n % 100 + 1) * interval '1 hour' end,
        follow_up_at = case when 1 + n % 13 = 7 and n % 50 > 0 then now() + (n % 14 - 1) * interval '1 day' end,
        follow_up_look_at = case when 1 + n % 13 = 7 and n % 50 > 0 then now() + (n % 14 - 1) * interval '1 day' end,
        follow_up_number = 1
    from (select partition, lead_id, row_number() over () as n from leads) as numbered
    where leads.partition = numbered.partition and leads.lead_id = numbered.lead_id";

/// The values of the statements' parameters, as they stand in `LISTS`.
const VALUES: [&str; 7] = [
    "1, 'agent-07', '', null, 51",
    "1, '', null, 51",
    "1, 'agent-07', 2::smallint, false, '2020-01-01', '', now() - interval '3 days', 51",
    "1, 2::smallint, false, '2020-01-01', '', now() - interval '3 days', 51",
    "1, 'agent-07', '2020-01-01', '', now() + interval '3 days', '{}', null, '2020-01-01', '2100-01-01', 51",
    "1, '2020-01-01', '', now() + interval '3 days', '{}', null, '2020-01-01', '2100-01-01', 51",
    "1, now() + interval '3 hours', 500",
];

/// Shows the plans of the statements as a session of the service makes them.
async fn plans(database: &mut Database) {
    database
        .run("set plan_cache_mode = force_generic_plan; set jit = off; set enable_seqscan = off; set enable_sort = off")
        .await;
    database.run("set enable_hashjoin = off; set enable_mergejoin = off; set enable_incremental_sort = off").await;
    for ((part, index, condition), values) in LISTS.iter().zip(VALUES) {
        let plain = plain(&checked_query(part));
        database.run(&format!("prepare listed as {plain}")).await;
        let explain = AssertSqlSafe(format!("explain (analyze, buffers) execute listed ({values})"));
        let rows = database.0.fetch_all(explain).await.expect("a plan");
        database.run("deallocate listed").await;
        let plan: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
        say(format_args!("... {part} ..."));
        for line in &plan {
            say(format_args!("    {line}"));
        }
        let plan = plan.join("\n");
        promise(&format!("{index}, {condition}"), plan.contains(index) && plan.contains(condition));
    }
}

async fn time_of_lists(client: &mut Client, now: i64) {
    let days = |days: i64| Some(Duration { seconds: days * 86_400, nanos: 0 });
    let soon = time(now + 3 * 86_400);
    let all = ListLeadsRequest { page_size: 50, ..Default::default() };
    let contacted = ListLeadsRequest { stages: vec![Stage::Contacted.into()], ..all.clone() };
    let cases = [
        ("all", all.clone()),
        ("of an agent", ListLeadsRequest { agent_id: "agent-07".into(), ..all.clone() }),
        ("CONTACTED for more than 3 days", ListLeadsRequest { min_time_in_stage: days(3), ..contacted.clone() }),
        ("CONTACTED for less than 3 days", ListLeadsRequest { max_time_in_stage: days(3), ..contacted.clone() }),
        ("in any stage for more than 300 days", ListLeadsRequest { min_time_in_stage: days(300), ..all.clone() }),
        ("with a follow-up within 3 days", ListLeadsRequest { next_follow_up_before: Some(soon), ..all.clone() }),
        ("dead", ListLeadsRequest { dead: Some(true), ..all.clone() }),
    ];
    for (what, request) in cases {
        for agent_id in ["", "agent-07"] {
            let request = ListLeadsRequest { agent_id: agent_id.into(), ..request.clone() };
            client.list_leads(request.clone()).await.expect("listed");
            let began = Instant::now();
            let page = client.list_leads(request).await.expect("listed").into_inner();
            let took = began.elapsed().as_secs_f64() * 1e3;
            say(format_args!("leads {what} {agent_id}: {} in {took:.1} ms", page.leads.len()));
            assert!(!page.leads.is_empty() || !agent_id.is_empty(), "{what}");
        }
    }
}

async fn scenario(size: Size) {
    let leads = size.of(20_000, 1_000_000);
    let stage = Scene::new(size, leads, size.of(&["--funnel-step=1000"], &[])).await;
    let mut database = Database::connect(&stage.url).await;
    database.run(SPREAD).await;
    database.run("vacuum analyze leads").await;
    plans(&mut database).await;
    let mut client = stage.server.client();
    time_of_lists(&mut client, database.time().await).await;
    let sums = "select count(distinct partition) from funnel_sums where agent_id = ''";
    eventually("the sums", async || (database.number(sums).await == 4).then_some(())).await;
    for agent_id in ["", "agent-07"] {
        let request = GetFunnelRequest { agent_id: agent_id.into(), counts_only: true, ..Default::default() };
        client.get_funnel(request.clone()).await.expect("a funnel");
        let began = Instant::now();
        let funnel = client.get_funnel(request).await.expect("a funnel").into_inner();
        say(format_args!("the counts of the funnel {agent_id}: {:.1} ms", began.elapsed().as_secs_f64() * 1e3));
        let expected = if agent_id.is_empty() { leads } else { leads / 50 };
        assert_eq!(funnel.stages[0].entries, expected as i64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_the_funnel() {
    scenario(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_lists_and_the_funnel() {
    scenario(Size::Full).await;
}
