//! `lead-pipeline funnel`: the table, the JSON, and what it refuses.

use super::{free_address, refuses, run};
use crate::support::requests::{applied, created, message_sent, overridden, replied};
use crate::support::server::{Server, server_with};
use lead_pipeline::proto::Stage;

/// Four leads: one stays NEW, one CONTACTED, one ENGAGED, one is WON; an hour in each stage before it is left.
async fn four_leads() -> Server {
    let server = server_with(&["--timer-interval=5ms"]).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    for lead_id in ["new", "contacted", "engaged", "won"] {
        created(&mut client, lead_id).await;
    }
    database.move_time(3600).await;
    for lead_id in ["contacted", "engaged", "won"] {
        applied(&mut client, lead_id, message_sent()).await;
    }
    database.move_time(3600).await;
    applied(&mut client, "engaged", replied()).await;
    overridden(&mut client, "won", Stage::Won).await;
    server
}

#[tokio::test]
async fn each_stage_is_a_row_with_where_its_leads_went_on_to() {
    let server = four_leads().await;
    let ended = run(&["funnel"], &server.address(), &[]).await.with(0).saying("counted at ");
    let ended = ended.saying(", cursor ");
    let lines = ended.lines();
    assert_eq!(lines.len(), 14, "{lines:?}");
    let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["STAGE", "LEADS", "ENTRIES", "MEDIAN", "P90", "WENT", "ON", "TO"]);
    assert_eq!(words[1], ["NEW", "1", "4", "1h", "1h", "CONTACTED", "75.0%"]);
    assert_eq!(words[2], ["CONTACTED", "1", "3", "1h", "1h", "ENGAGED", "33.3%,", "WON", "33.3%"]);
    assert_eq!(words[3], ["ENGAGED", "1", "1", "-", "-", "-"]);
    let of_agent = run(&["funnel", "--agent", "default"], &server.address(), &[]).await.with(0);
    assert_eq!(of_agent.stdout, ended.stdout);
    let counts = run(&["funnel", "--counts-only", "--from", "1h"], &server.address(), &[]).await.with(0);
    let new: Vec<&str> = counts.lines()[1].split_whitespace().collect();
    assert_eq!(new[..2], ["NEW", "1"], "{counts:?}");
    assert!(!counts.stderr.contains("only counts"), "that was asked for: {counts:?}");
}

#[tokio::test]
async fn as_json_it_is_the_response() {
    let server = four_leads().await;
    let all = run(&["funnel"], &server.address(), &["-o", "json"]).await.with(0);
    assert!(all.stderr.is_empty(), "{all:?}");
    let told = all.document();
    assert_eq!((&told["stages"][0]["stage"], &told["stages"][0]["entries"]), (&"STAGE_NEW".into(), &"4".into()));
    assert!(told["cursor"].as_str().is_some_and(|cursor| !cursor.is_empty()), "{told}");
    let before = ["-o", "json", "--to", "2020-01-01T00:00:00Z"];
    let told = run(&["funnel"], &server.address(), &before).await.with(0).document();
    // Leads are as they are now, whatever the range.
    assert_eq!((&told["stages"][0]["leads"], told["stages"][0].get("entries")), (&"1".into(), None));
}

#[tokio::test]
async fn a_range_too_long_for_the_times_says_so() {
    let server = server_with(&["--timer-interval=5ms", "--funnel-entries=2"]).await;
    for lead_id in ["a", "b", "c"] {
        created(&mut server.client(), lead_id).await;
    }
    let ended = run(&["funnel"], &server.address(), &[]).await.with(0).saying("only counts: ");
    assert_eq!(ended.lines()[1].split_whitespace().collect::<Vec<_>>(), ["NEW", "3", "3", "-", "-", "-"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let cases: [(&[&str], &str); 4] = [
        (&["--from", "yesterday"], "must be a time like 2026-08-01T00:00:00Z"),
        (&["--to", "2026-08-01"], "must be a time like 2026-08-01T00:00:00Z"),
        (&["-o", "xml"], "table, json"),
        (&["--timeout", "0s"], "must be from 1ms to 24h"),
    ];
    refuses(&["funnel"], &cases).await;
    let server = server_with(&[]).await;
    let wrong = run(&["funnel"], &server.address(), &["--from", "1h", "--to", "2h"]).await.with(2);
    assert!(wrong.saying("doesn't count: end_at").stdout.is_empty());
    let nobody = run(&["funnel"], &server.address(), &["--agent", "nobody"]).await.with(1);
    assert!(nobody.saying("nobody").stdout.is_empty());
    let address = free_address();
    run(&["funnel"], &address.to_string(), &[]).await.with(1).saying(&format!("http://{address} doesn't count: "));
}
