//! Without --yes it tells what would go, and nothing goes; with it, just that goes.

use super::program::{entries, now, prune};
use crate::support::checker::{Sound, check};
use crate::support::requests::{all_used_up, applied, created, lead, message_sent, replied};
use crate::support::server::{Client, Database, server};
use serde_json::{Value, json};

/// Everything that is stored, by its content.
async fn content(url: &str) -> Vec<String> {
    let mut database = Database::connect(url).await;
    let mut sums = Vec::new();
    for table in ["pipeline", "heads", "leads", "entries", "pruned_requests"] {
        let query = format!("select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {table} as t");
        let sum = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut database.0).await;
        sums.push(sum.expect("a sum"));
    }
    sums
}

/// Twelve leads with five entries of four requests each, one of them with two.
async fn history(client: &mut Client) {
    for number in 0..12 {
        let lead_id = format!("lead-{number}");
        created(client, &lead_id).await;
        applied(client, &lead_id, message_sent()).await;
        applied(client, &lead_id, all_used_up()).await;
        applied(client, &lead_id, replied()).await;
    }
}

/// The heads as a prune of everything would leave them.
async fn expected_partitions(url: &str) -> Value {
    let query = "select json_agg(t order by partition) from (
         select partition, count(*) as entries, count(distinct (request_id, lead_id)) as requests,
                count(distinct lead_id) as leads, 0 as floor, max(position) as new_floor
         from entries group by partition) as t";
    sqlx::query_scalar(query).fetch_one(&mut Database::connect(url).await.0).await.expect("the partitions")
}

#[tokio::test]
async fn a_dry_run_tells_what_would_go_and_changes_nothing() {
    let server = server().await;
    let url = server.database_url();
    history(&mut server.client()).await;
    let before = now(url).await;
    let stored = content(url).await;
    let ended = prune(url, &["--before", &before]).await.with(0);
    let total = ended.stdout.lines().find(|line| line.trim_start().starts_with("total")).expect("a total");
    assert_eq!(total.split_whitespace().collect::<Vec<_>>(), ["total", "60", "48", "12"], "{ended:?}");
    assert!(ended.stdout.contains("Nothing was changed."), "{ended:?}");
    assert!(ended.stdout.contains(&format!("add: --before {before} --yes")), "{ended:?}");
    // However short the statements, the numbers add up.
    for chunk in ["1", "7", "5000"] {
        let document = prune(url, &["--before", &before, "-o", "json", "--chunk", chunk]).await.document();
        assert_eq!(document["partitions"], expected_partitions(url).await, "{document}");
        assert_eq!(document["total"], json!({"entries": 60, "requests": 48, "leads": 12}));
        assert_eq!(
            (&document["dry_run"], &document["before"], document.get("pruned")),
            (&json!(true), &json!(before), None)
        );
    }
    assert_eq!(content(url).await, stored);
}

#[tokio::test]
async fn only_what_was_recorded_before_the_time_goes() {
    let server = server().await;
    let (url, mut client) = (server.database_url(), server.client());
    history(&mut client).await;
    let before = now(url).await;
    for number in 0..6 {
        applied(&mut client, &format!("lead-{number}"), message_sent()).await;
    }
    let leads = lead(&mut client, "lead-0").await;
    let heads = "select sum(position) from heads";
    let position = Database::connect(url).await.number(heads).await;
    let ended = prune(url, &["--before", &before, "--yes", "--output=json", "--chunk=4"]).await;
    let document = ended.with(0).document();
    assert_eq!((&document["pruned"]["entries"], &document["pruned"]["complete"]), (&json!(60), &json!(true)));
    assert_eq!(check(url).await, Sound { leads: 12, entries: 6 });
    assert_eq!(Database::connect(url).await.number("select sum(floor) from heads").await, 60);
    assert_eq!(Database::connect(url).await.number("select count(*) from pruned_requests").await, 48);
    // Leads, versions and positions go on as if nothing had happened, at this server and at a new one.
    assert_eq!(lead(&mut client, "lead-0").await, leads);
    assert_eq!(Database::connect(url).await.number(heads).await, position);
    let next = applied(&mut client, "lead-0", message_sent()).await;
    assert_eq!(next.version, leads.version + 1);
    assert_eq!(Database::connect(url).await.number(heads).await, position + 1);
    assert_eq!(check(url).await, Sound { leads: 12, entries: 7 });
    // The same again finds nothing left of it.
    let again = prune(url, &["--before", &before, "--yes"]).await.with(0);
    assert!(again.stdout.contains("\n0 entries pruned"), "{again:?}");
    assert_eq!(entries(url).await, 7);
}
