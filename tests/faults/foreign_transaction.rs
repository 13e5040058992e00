//! Somebody else's transaction on the same database, however long it stays open, delays no change.

use crate::support::checker::check;
use crate::support::cluster::fresh_database;
use crate::support::load::{create_leads, leads, request, send};
use crate::support::log::{heads, log_behind, places};
use crate::support::server::{Database, Server, server_on};
use crate::support::wait::within;
use crate::support::watcher::{Watching, after, from_beginning, from_now, unfiltered};

/// How much happens.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub leads: usize,
    /// Changes that are written while the transaction is open.
    pub changes: usize,
}

/// A transaction that holds all a transaction can hold without locking others out: an id, a snapshot, a lock of every
/// table that it reads.
async fn open_transaction(url: &str) -> Database {
    let mut foreign = Database::connect(url).await;
    foreign
        .run(
            "begin isolation level repeatable read;
             create table of_somebody_else (number int);
             insert into of_somebody_else values (1)",
        )
        .await;
    for table in ["leads", "entries", "heads"] {
        foreign.number(&format!("select count(*) from {table}")).await;
    }
    assert_ne!(foreign.number("select txid_current()").await, 0);
    foreign
}

/// Writes on each of the servers in turn.
async fn write(servers: &[Server], leads: &[String], changes: usize) {
    let mut clients: Vec<_> = servers.iter().map(Server::client).collect();
    for number in 0..changes {
        let client = &mut clients[number % servers.len()];
        send(client, request(&leads[number % leads.len()], number)).await.answer.expect("accepted");
    }
}

/// What every kind of watch is sent, on every replica, while changes are written: the same for all.
pub async fn deliver(scale: Scale, with_transaction: bool) -> Vec<(String, i32)> {
    let url = fresh_database().await;
    let first = server_on(&url, &[]).await;
    let leads = leads(scale.leads);
    create_leads(&mut first.client(), &leads).await;
    let foreign = if with_transaction { Some(open_transaction(&url).await) } else { None };
    // This one also starts while the transaction is open.
    let second = within("the start", server_on(&url, &["--ring-entries=4"])).await;
    let servers = [first, second];
    let start = heads(&url).await;
    let mut watches = Vec::new();
    for server in &servers {
        let now = Watching::start(&mut server.client(), unfiltered(from_now())).await;
        let resumed = Watching::start(&mut server.client(), unfiltered(after(&now.cursor))).await;
        let all = Watching::start(&mut server.client(), unfiltered(from_beginning())).await;
        watches.extend([now, resumed, all]);
    }
    write(&servers, &leads, scale.changes).await;
    let (heads, log) = (heads(&url).await, log_behind(&url, &start).await);
    assert_eq!(log.len(), scale.changes);
    for watching in &mut watches {
        let mut changes = watching.through(&heads).await;
        changes.retain(|change| change.position > start[&change.partition]);
        assert_eq!(places(&changes), log, "all of it, once");
    }
    if let Some(mut foreign) = foreign {
        let seen = foreign.number("select count(*) from entries").await;
        assert_eq!(seen as usize, scale.leads, "it was open all the time: it sees none of the changes");
        foreign.run("commit").await;
    }
    check(&url).await;
    log.into_iter().map(|(_, _, lead_id, version)| (lead_id, version)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_of_somebody_else_delays_no_change() {
    let scale = Scale { leads: 10, changes: 200 };
    let alone = Box::pin(deliver(scale, false)).await;
    assert_eq!(Box::pin(deliver(scale, true)).await, alone, "the same changes as without it");
}
