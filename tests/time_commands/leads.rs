//! `lead-pipeline leads`: every filter, page after page, and what it refuses.

use super::{free_address, refuses, run, start};
use crate::support::command::Ended;
use crate::support::load::create_leads;
use crate::support::requests::{applied, created, message_sent, opted_out, overridden};
use crate::support::server::{Server, server, server_with};
use lead_pipeline::proto::Stage;
use serde_json::Value;

/// Five leads: `old` CONTACTED for two days, then `young` CONTACTED, `new` NEW, `dead` LOST, `nurtured` in NURTURE with a
/// check-in in 14 days.
async fn five_leads() -> Server {
    let server = server_with(&["--timer-interval=5ms"]).await;
    let mut client = server.client();
    for lead_id in ["old", "young", "new", "dead", "nurtured"] {
        created(&mut client, lead_id).await;
    }
    applied(&mut client, "old", message_sent()).await;
    server.database().await.move_time(2 * 86_400).await;
    applied(&mut client, "young", message_sent()).await;
    applied(&mut client, "dead", opted_out()).await;
    overridden(&mut client, "nurtured", Stage::Nurture).await;
    server
}

/// The leads of a list, by their ids.
fn ids(ended: &Ended) -> Vec<String> {
    let id = |line: &str| {
        let lead: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        lead["leadId"].as_str().unwrap_or_else(|| panic!("no id: {line}")).to_owned()
    };
    let mut ids: Vec<_> = ended.lines().into_iter().map(id).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn filters_choose_leads() {
    let server = five_leads().await;
    let cases: [(&[&str], &[&str]); 12] = [
        (&[], &["dead", "new", "nurtured", "old", "young"]),
        (&["--agent", "default"], &["dead", "new", "nurtured", "old", "young"]),
        (&["--stage", "contacted"], &["old", "young"]),
        (&["--stage", "CONTACTED,new", "--stage", "stage_new"], &["new", "old", "young"]),
        (&["--dead"], &["dead"]),
        (&["--alive"], &["new", "nurtured", "old", "young"]),
        (&["--in-stage-for", "1d"], &["new", "old"]),
        (&["--in-stage-at-most", "1d"], &["dead", "nurtured", "young"]),
        (&["--stage", "contacted", "--in-stage-for", "1d", "--in-stage-at-most", "3d"], &["old"]),
        (&["--follow-up-before", "17d"], &["nurtured"]),
        (&["--follow-up-before", "13d"], &[]),
        (&["--follow-up-before", "2099-01-01T00:00:00Z", "--stage", "won"], &[]),
    ];
    for (arguments, expected) in cases {
        let ended = run(&["leads", "-o", "json"], &server.address(), arguments).await.with(0);
        assert_eq!(ids(&ended), expected, "{arguments:?}");
        assert!(ended.stderr.is_empty(), "{ended:?}");
    }
}

#[tokio::test]
async fn a_lead_is_a_row() {
    let server = five_leads().await;
    let ended = run(&["leads"], &server.address(), &["--stage", "nurture"]).await.with(0);
    let lines = ended.lines();
    let headings =
        "LEAD      AGENT    STAGE              SINCE                     VERSION  DEAD            NEXT FOLLOW-UP";
    assert_eq!((lines.len(), lines[0]), (2, headings));
    let row: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!((&row[..3], &row[4..6]), (&["nurtured", "default", "NURTURE"][..], &["2", "-"][..]));
    assert!(row[3].ends_with('Z') && row[6].ends_with('Z') && row[3] < row[6], "{row:?}");
    let dead = run(&["leads"], &server.address(), &["--dead"]).await.with(0);
    assert!(dead.lines()[1].contains("  OPTED_OUT       -"), "{dead:?}");
    let none = run(&["leads"], &server.address(), &["--stage", "won"]).await.with(0);
    assert_eq!(none.lines().len(), 1, "{none:?}");
}

#[tokio::test]
async fn all_pages_are_listed_or_as_many_leads_as_are_asked_for() {
    let server = server_with(&["--page-default=7", "--page-max=7"]).await;
    let all: Vec<String> = (100..150).map(|number| format!("lead-{number}")).collect();
    create_leads(&mut server.client(), &all).await;
    let ended = run(&["leads", "-o", "json"], &server.address(), &[]).await.with(0);
    assert_eq!(ids(&ended), all);
    let table = run(&["leads"], &server.address(), &[]).await.with(0);
    assert_eq!(table.lines().len(), 51, "one heading: {table:?}");
    for limit in [1, 7, 9, 50, 60] {
        let ended = run(&["leads", "-o", "json", "--limit", &limit.to_string()], &server.address(), &[]).await.with(0);
        let ids = ids(&ended);
        assert_eq!(ids.len(), limit.min(50), "{ids:?}");
        assert!(ids.windows(2).all(|two| two[0] < two[1]), "each once: {ids:?}");
    }
}

#[tokio::test]
async fn nobody_has_to_read_on() {
    let server = server_with(&["--page-default=1", "--page-max=1"]).await;
    let all: Vec<String> = (0..1000).map(|number| format!("lead-{number}")).collect();
    create_leads(&mut server.client(), &all).await;
    let mut run = start(&["leads", "-o", "json"], &server.address(), &[]);
    run.line().await;
    run.close();
    let ended = run.ended().await.with(0);
    assert!(ended.stderr.is_empty(), "{ended:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let cases: [(&[&str], &str); 7] = [
        (&["--stage", "wom"], "the stages are NEW, CONTACTED, ENGAGED"),
        (&["--dead", "--alive"], "cannot be used with"),
        (&["--in-stage-for", "long"], "like 90m, 3d or 2weeks"),
        (&["--in-stage-at-most", "11years"], "must be at most 3650d"),
        (&["--follow-up-before", "soon"], "must be a time like 2026-08-01T00:00:00Z"),
        (&["--limit", "0"], "--limit"),
        (&["-o", "xml"], "table, json"),
    ];
    refuses(&["leads"], &cases).await;
    let server = server().await;
    let wrong = ["--in-stage-for", "2d", "--in-stage-at-most", "1d"];
    let wrong = run(&["leads"], &server.address(), &wrong).await.with(2);
    assert!(wrong.saying("doesn't list its leads: max_time_in_stage").stdout.is_empty());
    let nobody = run(&["leads"], &server.address(), &["--agent", "nobody"]).await.with(1);
    assert!(nobody.saying("nobody").stdout.is_empty());
    let address = free_address();
    let gone = run(&["leads"], &address.to_string(), &[]).await.with(1);
    gone.saying(&format!("http://{address} doesn't list its leads: "));
}
