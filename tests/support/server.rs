//! Servers in the test's own process, each over a database of its own.

use super::cluster::fresh_database;
use clap::Parser;
use lead_pipeline::app::{App, AppError};
use lead_pipeline::config::Config;
use lead_pipeline::proto::lead_pipeline_client::LeadPipelineClient;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

/// The client that tests use.
pub type Client = LeadPipelineClient<Channel>;

/// The settings as the program reads them.
#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

/// A running server.
pub struct Server {
    app: App,
    url: String,
}

/// A server with its defaults, over a fresh database.
pub async fn server() -> Server {
    server_with(&[]).await
}

/// A server with some settings, over a fresh database.
pub async fn server_with(flags: &[&str]) -> Server {
    server_on(&fresh_database().await, flags).await
}

/// A second server on the same database.
pub async fn replica_of(server: &Server) -> Server {
    server_on(&server.url, &[]).await
}

/// A server on a database.
pub async fn server_on(url: &str, flags: &[&str]) -> Server {
    let app = start(url, flags, CancellationToken::new()).await.expect("the server starts");
    Server { app, url: url.to_owned() }
}

/// Starts a server; for tests of the start itself.
pub async fn start(url: &str, flags: &[&str], shutdown: CancellationToken) -> Result<App, AppError> {
    let fixed = ["test", "--listen=127.0.0.1:0", "--http-listen=127.0.0.1:0", "--testing", "--database-url", url];
    let flags = Flags::try_parse_from(fixed.iter().chain(flags)).expect("valid flags");
    App::start(flags.config, shutdown).await
}

impl Server {
    /// Host and port of gRPC.
    pub fn address(&self) -> String {
        self.app.address().to_string()
    }

    /// A client with a connection of its own.
    pub fn client(&self) -> Client {
        client_at(self.app.address())
    }

    /// A channel for other services than the pipeline's.
    pub fn channel(&self) -> Channel {
        endpoint(self.app.address()).connect_lazy()
    }

    pub fn http_address(&self) -> SocketAddr {
        self.app.http_address()
    }

    pub fn database_url(&self) -> &str {
        &self.url
    }

    /// A connection of the test's own to the database.
    pub async fn database(&self) -> Database {
        Database::connect(&self.url).await
    }

    /// Stops the server in order.
    pub async fn stop(self) {
        self.app.stop().await;
    }
}

/// Where a server listens.
pub fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{address}")).expect("a valid address")
}

/// A client of the server that listens there; it connects with its first call.
pub fn client_at(address: SocketAddr) -> Client {
    LeadPipelineClient::new(endpoint(address).connect_lazy())
}

/// A connection of the test's own to a database.
pub struct Database(pub PgConnection);

impl Database {
    pub async fn connect(url: &str) -> Self {
        Self(PgConnection::connect(url).await.expect("the test reaches the database"))
    }

    /// A connection, if the database accepts any now.
    pub async fn try_connect(url: &str) -> Option<Self> {
        PgConnection::connect(url).await.ok().map(Self)
    }

    /// Runs statements.
    pub async fn run(&mut self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut self.0).await.expect("the statement runs");
    }

    /// The one number that a query gives.
    pub async fn number(&mut self, query: &str) -> i64 {
        let query = format!("select ({query})::bigint");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut self.0).await.expect("a number")
    }

    /// Moves the pipeline's time on, for every server of this database.
    pub async fn move_time(&mut self, seconds: i64) {
        self.run(&format!("update pipeline set time_offset = time_offset + interval '{seconds} seconds'")).await;
    }

    /// The pipeline's time, in seconds since 1970.
    pub async fn time(&mut self) -> i64 {
        self.number("select extract(epoch from clock_timestamp() + time_offset) from pipeline").await
    }

    /// Locks the head row of a lead's partition, so that no write of the partition goes on; until `unlock`.
    pub async fn lock_partition_of(&mut self, lead_id: &str) {
        let partitions = i32::try_from(self.number("select partitions from pipeline").await).expect("few partitions");
        let partition = lead_pipeline::store::partition_of(lead_id, partitions);
        self.run(&format!("begin; select from heads where partition = {partition} for update")).await;
    }

    pub async fn unlock(&mut self) {
        self.run("rollback").await;
    }

    /// How many sessions of this database wait for a lock.
    pub async fn waiting(&mut self) -> i64 {
        self.number(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .await
    }
}

/// The body of an HTTP page.
pub async fn http_get(url: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = url.trim_start_matches("http://").split_once('/').expect("a path");
    let mut socket = tokio::net::TcpStream::connect(host).await.expect("a connection");
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut response = String::new();
    socket.read_to_string(&mut response).await.expect("a response");
    response.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or(response)
}
