//! The plans of the write path. They are made once for each connection, also while the tables are empty, and kept: so
//! even then each access must be by its key.

use crate::support::cluster::fresh_database;
use lead_pipeline::store::{ConnectSettings, connect};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use std::time::Duration;

/// The plan of a query file for these parameters' number, in a session set up as the service's are.
async fn plan(connection: &mut PgConnection, query: &str, parameters: usize) -> String {
    // The annotations for the compiler (`as "name!: Type"`) are no part of the plan.
    let plain: Vec<&str> = query.split('"').step_by(2).collect();
    let plain = plain.join("").replace(" as ,", ",").replace(" as \n", "\n");
    let nulls = vec!["null"; parameters].join(", ");
    connection.execute(AssertSqlSafe(format!("prepare looked_at as {plain}"))).await.expect("prepares");
    let rows = connection.fetch_all(AssertSqlSafe(format!("explain execute looked_at ({nulls})"))).await;
    connection.execute("deallocate looked_at").await.expect("forgets");
    rows.expect("explains").iter().map(|row| row.get::<String, _>(0) + "\n").collect()
}

/// A session set up as the service's are, on empty tables.
async fn session() -> PgConnection {
    let url = fresh_database().await;
    let settings = ConnectSettings {
        url: url.clone(),
        read_connections: 2,
        read_patience: Duration::from_mins(1),
        connect_timeout: Duration::from_secs(10),
        partitions: 8,
        allow_unsafe: true,
    };
    connect(&settings).await.expect("migrates").close().await;
    let mut connection = PgConnection::connect(&url).await.expect("connects");
    for setting in [
        "plan_cache_mode = force_generic_plan",
        "enable_seqscan = off",
        "enable_hashjoin = off",
        "enable_mergejoin = off",
        "enable_sort = off",
        "enable_incremental_sort = off",
        "jit = off",
    ] {
        connection.execute(AssertSqlSafe(format!("set {setting}"))).await.expect("sets");
    }
    connection
}

#[tokio::test]
async fn on_empty_tables_every_access_of_the_write_path_is_by_key() {
    let mut connection = session().await;
    let write = plan(&mut connection, include_str!("../src/store/write.sql"), 4).await;
    for needed in [
        "using entries_by_request on entries",
        "(ROW(request_id, lead_id) >= ROW(entry_1.request_id, entry_1.lead_id))",
        "Index Scan Backward using heads_pkey on heads",
        "(\"position\" >= ",
        "using leads_pkey on leads",
        "(lead_id >= lead.lead_id)",
        "TID Cond: (ctid = found.place)",
    ] {
        assert!(write.contains(needed), "{needed} is missing in:\n{write}");
    }

    let known = plan(&mut connection, include_str!("../src/store/known.sql"), 3).await;
    for needed in [
        "using entries_by_request on entries",
        "(request_id >= wanted_1.request_id) AND (request_id <= wanted_1.request_id)",
        "using leads_pkey on leads",
        "(lead_id >= wanted.lead_id)",
    ] {
        assert!(known.contains(needed), "{needed} is missing in:\n{known}");
    }
    for (name, plan) in [("write", &write), ("known", &known)] {
        assert!(plan.contains("using pruned_requests_pkey on pruned_requests"), "{name}:\n{plan}");
        assert!(plan.contains("(request_id = ANY ("), "{name}:\n{plan}");
        assert!(plan.contains("One-Time Filter: ("), "{name} looks there only if something was pruned:\n{plan}");
    }
    for plan in [write, known] {
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
}

#[tokio::test]
async fn on_empty_tables_every_access_of_a_prune_is_by_key() {
    let mut connection = session().await;
    let prune = plan(&mut connection, include_str!("../src/store/prune.sql"), 3).await;
    let weight = plan(&mut connection, include_str!("../src/store/prune_weight.sql"), 3).await;
    let ends = plan(&mut connection, include_str!("../src/store/prune_ends.sql"), 1).await;
    for (plan, needed) in [
        (&prune, "using entries_pkey on entries"),
        (&prune, "(\"position\" > stretch_1.floor)"),
        (&prune, "TID Cond: (ctid = doomed.place)"),
        (&weight, "using entries_pkey on entries"),
        (&weight, "using entries_by_lead on entries"),
        (&weight, "(ROW(lead_id, version) >= ROW(entries.lead_id, (entries.version - 1)))"),
        (&ends, "using entries_pkey on entries"),
        (&ends, "(\"position\" >= (((search_1.low + search_1.high) + 1) / 2))"),
    ] {
        assert!(plan.contains(needed), "{needed} is missing in:\n{plan}");
    }
    for plan in [prune, weight, ends] {
        assert!(!plan.contains("Seq Scan on entries"), "{plan}");
    }
}
