//! A synchronous standby that doesn't confirm: the commit is there, but a failover could lose it.

use crate::support::errors::failed;
use crate::support::folder::Folder;
use crate::support::process::Process;
use crate::support::requests::{create, message_sent, trigger};
use crate::support::server::{Database, client_at};
use crate::support::wait::{eventually, within};
use lead_pipeline::store::embedded::{EmbeddedPostgres, Settings};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_standby_did_not_confirm_is_of_unknown_outcome() {
    let folder = Folder::new().expect("a temporary folder");
    let settings = Settings { max_connections: 40, shared_buffers_mib: 64, ..Settings::new(folder.path()) };
    let postgres = EmbeddedPostgres::start(settings).await.expect("Postgres starts");
    postgres.ensure_database("standby").await.expect("a database");
    let url = postgres.url("standby");
    let mut process = Process::spawn(&url, &["--listen=127.0.0.1:0"]);
    let mut client = client_at(process.serves().await);
    client.create_lead(create("lead-1")).await.expect("a new lead");
    let mut operator = Database::connect(&url).await;
    // Nobody by that name will ever confirm.
    operator.run("alter system set synchronous_standby_names = 'nobody'").await;
    operator.run("select pg_reload_conf()").await;
    // The setting reaches Postgres's processes in their own time: calls go on until the commit of one waits.
    let call = tokio::spawn(async move {
        let mut answer = client.apply_trigger(trigger("lead-1", message_sent())).await;
        while answer.is_ok() {
            answer = client.apply_trigger(trigger("lead-1", message_sent())).await;
        }
        answer
    });
    let waiting = "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'";
    eventually("a commit that waits", async || (operator.number(waiting).await > 0).then_some(())).await;
    failed(within("the answer", call).await.expect("no panic")).is(Code::Unavailable, "OUTCOME_UNKNOWN");
    process.kill().await;
    postgres.stop().await.expect("it stops");
}
