//! The plans of the write path. They are made once for each connection, also while the tables are empty, and kept: so
//! even then each access must be by its key.

use crate::support::cluster::fresh_database;
use lead_pipeline::store::{ConnectSettings, connect};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use std::time::Duration;

/// A query without the annotations for the compiler (`as "name!: Type"`).
pub fn plain(query: &str) -> String {
    let plain: Vec<&str> = query.split('"').step_by(2).collect();
    plain.join("").replace(" as ,", ",").replace(" as \n", "\n").replace(" as )", ")").replace(" as  from", " from")
}

/// The plan of a query file for these parameters' number, in a session set up as the service's are.
async fn plan(connection: &mut PgConnection, query: &str, parameters: usize) -> String {
    let plain = plain(query);
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
    let write = plan(&mut connection, include_str!("../src/store/write.sql"), 6).await;
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

/// What goes on without being asked, and the calls of follow-ups and the funnel.
#[tokio::test]
async fn on_empty_tables_every_access_beside_the_writes_is_by_key() {
    let mut connection = session().await;
    let cases: [(&str, &str, usize, &[&str]); 8] = [
        (
            "lease",
            include_str!("../src/store/lease.sql"),
            5,
            &[
                "using leads_by_agent_and_follow_up on leads",
                "(agent_id = wanted.agent_id) AND (follow_up_look_at <= now",
                "using follow_up_leases_pkey on follow_up_leases",
            ],
        ),
        (
            "lease_agents",
            include_str!("../src/store/lease_agents.sql"),
            3,
            &[
                "using leads_by_follow_up on leads",
                "using leads_by_agent_and_follow_up on leads",
                "(agent_id > $2)",
                "(agent_id > agent_",
                "(agent_id = agent.agent_id) AND (follow_up_look_at <= now",
            ],
        ),
        (
            "lease_next",
            include_str!("../src/store/lease_next.sql"),
            2,
            &[
                "using leads_by_follow_up on leads",
                "using leads_by_agent_and_follow_up on leads",
                "using follow_up_leases_by_end on follow_up_leases",
                "using leads_pkey on leads",
            ],
        ),
        (
            "complete",
            include_str!("../src/store/complete.sql"),
            5,
            &["using leads_pkey on leads", "(lead_id = $2)", "using follow_up_leases_pkey on follow_up_leases"],
        ),
        (
            "funnel_step",
            include_str!("../src/store/funnel_step.sql"),
            3,
            &["using funnel_sums_pkey on funnel_sums", "using entries_pkey on entries", "(\"position\" > step"],
        ),
        (
            "funnel_moves",
            include_str!("../src/store/funnel_moves.sql"),
            3,
            &["using funnel_sums_pkey on funnel_sums", "using entries_pkey on entries", "(\"position\" > place"],
        ),
        (
            "funnel_visits",
            include_str!("../src/store/funnel_visits.sql"),
            6,
            &["using entries_pkey on entries", "(\"position\" > wanted.after) AND (\"position\" <= wanted.through)"],
        ),
        (
            "position_at",
            include_str!("../src/store/position_at.sql"),
            3,
            &["using entries_pkey on entries", "using funnel_sums_pkey on funnel_sums"],
        ),
    ];
    for (name, query, parameters, needed) in cases {
        let plan = plan(&mut connection, query, parameters).await;
        for needed in needed {
            assert!(plan.contains(needed), "{name}: {needed} is missing in:\n{plan}");
        }
        for table in ["leads", "entries", "follow_up_leases", "funnel_sums", "heads"] {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{name}:\n{plan}");
        }
    }
    let revive = plan(&mut connection, include_str!("../src/store/revive.sql"), 10).await;
    for table in ["leads", "entries", "revival_parts", "heads"] {
        assert!(!revive.contains(&format!("Seq Scan on {table}")), "{revive}");
    }
}

/// The one checked query with this part in it, as the service sends it.
pub fn checked_query(part: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let files = std::fs::read_dir(folder).expect("the checked queries").map(|file| file.expect("a file").path());
    let texts = files.map(|path| std::fs::read_to_string(path).expect("a text"));
    let query = |text: String| {
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        json["query"].as_str().expect("a query").to_owned()
    };
    let mut found: Vec<String> = texts.map(query).filter(|query| query.contains(part)).collect();
    assert_eq!(found.len(), 1, "queries with {part}");
    found.remove(0)
}

/// A part of each statement that lists leads or looks what is due, with the index that serves it, and its condition.
pub const LISTS: [(&str, &str, &str); 7] = [
    (
        "from leads where partition = $1 and agent_id = $2 and lead_id > $3 and",
        "using leads_by_agent on leads",
        "(partition = $1) AND (agent_id = $2) AND (lead_id > $3)",
    ),
    (
        "from leads where partition = $1 and lead_id > $2 and",
        "using leads_pkey on leads",
        "(partition = $1) AND (lead_id > $2)",
    ),
    (
        "from leads where partition = $1 and agent_id = $2 and stage = $3 and",
        "using leads_by_agent_and_stage on leads",
        "(ROW(stage_entered_at, lead_id) > ROW($5, $6)) AND (stage_entered_at <= $7)",
    ),
    (
        "from leads where partition = $1 and stage = $2 and",
        "using leads_by_stage on leads",
        "(ROW(stage_entered_at, lead_id) > ROW($4, $5)) AND (stage_entered_at <= $6)",
    ),
    (
        "and agent_id = $2 and (follow_up_look_at, lead_id) > ($3, $4)",
        "using leads_by_agent_and_follow_up on leads",
        "(ROW(follow_up_look_at, lead_id) > ROW($3, $4)) AND (follow_up_look_at < $5)",
    ),
    (
        "where partition = $1 and (follow_up_look_at, lead_id) > ($2, $3)",
        "using leads_by_follow_up on leads",
        "(ROW(follow_up_look_at, lead_id) > ROW($2, $3)) AND (follow_up_look_at < $4)",
    ),
    (
        "from leads where partition = $1 and timer_at <= $2",
        "using leads_by_timer on leads",
        "(partition = $1) AND (timer_at <= $2)",
    ),
];

#[tokio::test]
async fn on_empty_tables_every_list_of_leads_is_a_range_of_its_index() {
    let mut connection = session().await;
    for (part, index, condition) in LISTS {
        let query = checked_query(part);
        let parameters = (1..20).filter(|number| query.contains(&format!("${number}"))).count();
        let plan = plan(&mut connection, &query, parameters).await;
        assert!(plan.contains(index) && plan.contains(condition), "{part}\n{index} {condition}\n{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
}
