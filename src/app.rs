//! The composition root: wires the parts, starts them in order, and stops them in the opposite one.

use crate::config::Config;
use crate::grpc::{self, Calls, Health, Service, ServiceSettings, TransportSettings};
use crate::reader::{Reader, ReaderSettings};
use crate::store::embedded::{DATABASE, EmbeddedError, EmbeddedPostgres, Settings as EmbeddedSettings};
use crate::store::{self, ConnectSettings, Later, Store, StoreError};
use crate::timers::{self, FollowUps, TimerSettings};
use crate::watch::{Hub, WatchSettings};
use crate::writer::{Feed, WriterSettings, Writers};
use crate::{http, telemetry};
use metrics::gauge;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// How often the database is asked whether it is there, and for its time.
const PULSE: Duration = Duration::from_secs(1);

/// The pause between attempts to reach the database at the start.
const CONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Time for answers to leave after everything that could delay them has been ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why the server doesn't serve.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("{0}")]
    Config(String),
    #[error("can't listen on {address} (--{flag}): {source}")]
    Listen { flag: &'static str, address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("stopped before the database was reached")]
    Stopped,
}

/// A running server.
pub struct App {
    address: SocketAddr,
    http_address: SocketAddr,
    parts: Parts,
    tasks: Tasks,
    pulse: JoinHandle<()>,
    store: Store,
}

/// What works for the calls, in the order in which it ends.
struct Tasks {
    /// What is done without being asked.
    timers: JoinSet<()>,
    writers: JoinSet<()>,
    /// The feed and the reads.
    background: JoinSet<()>,
}

/// What runs before the database is reached.
struct Parts {
    stops: Stops,
    grace: Duration,
    service: Service,
    health: Health,
    healthy: Arc<AtomicBool>,
    grpc: JoinHandle<()>,
    http: JoinHandle<()>,
    postgres: Option<EmbeddedPostgres>,
}

/// The stop, in its steps.
#[derive(Clone, Default)]
struct Stops {
    /// Watches end with their cursor, and no new call is taken.
    calls: CancellationToken,
    /// Nothing is begun any more that nobody asked for.
    timers: CancellationToken,
    /// Writers answer what they haven't sent, and settle the rest.
    writers: CancellationToken,
    /// Everything else ends.
    rest: CancellationToken,
}

impl App {
    /// Starts the server. Returns once it serves; until the database is reached it answers UNAVAILABLE, and health
    /// says NOT_SERVING. `shutdown` ends the wait for the database.
    ///
    /// # Errors
    /// If a setting is wrong, a port is taken, or the database isn't fit to serve.
    pub async fn start(config: Config, shutdown: CancellationToken) -> Result<Self, AppError> {
        config.validate().map_err(AppError::Config)?;
        telemetry::metrics();
        let grpc_listener = listen("listen", config.listen).await?;
        let http_listener = listen("http-listen", config.http_listen).await?;
        let local = |listener: &TcpListener, asked| listener.local_addr().unwrap_or(asked);
        let (address, http_address) = (local(&grpc_listener, config.listen), local(&http_listener, config.http_listen));
        let mut parts = Parts::start(&config, grpc_listener, http_listener).await;
        let opened = tokio::select! {
            opened = parts.open_store(&config) => opened,
            () = shutdown.cancelled() => Err(AppError::Stopped),
        };
        let store = match opened {
            Ok(store) => store,
            Err(error) => {
                parts.stop().await;
                return Err(error);
            }
        };
        let tasks = parts.open_service(&config, &store);
        let pulse = tokio::spawn(pulse(
            store.clone(),
            parts.service.clone(),
            parts.health.clone(),
            Arc::clone(&parts.healthy),
            parts.stops.rest.clone(),
        ));
        parts.health.set(true).await;
        parts.healthy.store(true, Ordering::Release);
        Ok(Self { address, http_address, parts, tasks, pulse, store })
    }

    /// Where gRPC is served.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics and health are served.
    #[must_use]
    pub const fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Stops: watches get their cursor, what the database has is settled, the rest is refused, and then all ends. What
    /// isn't done within the grace period is ended by force.
    pub async fn stop(mut self) {
        let grace = self.parts.grace;
        // First of all: its next beat would say SERVING again.
        self.pulse.abort();
        self.pulse.await.ok();
        self.parts.health.set(false).await;
        self.parts.healthy.store(false, Ordering::Release);
        self.parts.stops.calls.cancel();
        self.parts.stops.timers.cancel();
        self.parts.stops.writers.cancel();
        let Tasks { timers, writers, background } = &mut self.tasks;
        let settled = async {
            while writers.join_next().await.is_some() {}
            while timers.join_next().await.is_some() {}
        };
        if tokio::time::timeout(grace, settled).await.is_err() {
            tracing::warn!("the database doesn't answer: commands under way end with OUTCOME_UNKNOWN");
            timers.shutdown().await;
            writers.shutdown().await;
        }
        self.parts.stops.rest.cancel();
        background.shutdown().await;
        let store = self.store;
        self.parts
            .stop_with(async move {
                // A connection that is stuck must not hold up the stop.
                tokio::time::timeout(LAST_WORDS, store.close()).await.ok();
            })
            .await;
    }
}

async fn listen(flag: &'static str, address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).await.map_err(|source| AppError::Listen { flag, address, source })
}

impl Parts {
    /// Opens the ports.
    async fn start(config: &Config, grpc_listener: TcpListener, http_listener: TcpListener) -> Self {
        let stops = Stops::default();
        let service = Service::new(new_id);
        let healthy = Arc::new(AtomicBool::new(false));
        let (ready, health) = oneshot::channel();
        let limits = &config.limits;
        let transport = TransportSettings {
            streams: limits.streams_per_connection,
            message_bytes: limits.message_bytes,
            stream_window_bytes: limits.stream_window_bytes,
            connection_window_bytes: limits.connection_window_bytes,
            keepalive_interval: limits.keepalive_interval,
            keepalive_timeout: limits.keepalive_timeout,
        };
        let (server, stop) = (service.clone(), stops.calls.clone().cancelled_owned());
        let grpc = tokio::spawn(async move {
            let told = |health| {
                ready.send(health).ok();
            };
            if let Err(error) = grpc::serve(grpc_listener, server, transport, stop, told).await {
                tracing::error!(%error, "the gRPC port failed");
            }
        });
        let http = tokio::spawn(http::serve(http_listener, Arc::clone(&healthy), stops.rest.clone()));
        let health = health.await.expect("the transport hands its health over before anything can fail");
        Self { stops, grace: limits.stop_grace, service, health, healthy, grpc, http, postgres: None }
    }

    /// Reaches the database: the one that is named, or one of the server's own. One that isn't there yet is waited for.
    async fn open_store(&mut self, config: &Config) -> Result<Store, AppError> {
        // An empty variable is one that isn't set.
        let url = if let Some(url) = config.database_url.as_ref().filter(|url| !url.is_empty()) {
            url.clone()
        } else {
            let postgres = EmbeddedPostgres::start(EmbeddedSettings::new(&config.data_dir)).await?;
            let url = postgres.url(DATABASE);
            let created = postgres.ensure_database(DATABASE).await;
            self.postgres = Some(postgres);
            created?;
            url
        };
        let settings = ConnectSettings {
            url,
            read_connections: config.limits.read_connections,
            connect_timeout: config.limits.connect_timeout,
            read_patience: config.limits.read_patience,
            partitions: config.partitions,
            allow_unsafe: config.testing,
        };
        loop {
            match store::connect(&settings).await {
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "waiting for the database");
                    tokio::time::sleep(CONNECT_PAUSE).await;
                }
                connected => return Ok(connected?),
            }
        }
    }

    /// Starts what needs the database, and opens the service.
    fn open_service(&self, config: &Config, store: &Store) -> Tasks {
        if store.partitions() != config.partitions {
            tracing::info!(partitions = store.partitions(), "the database keeps its number of partitions");
        }
        let limits = &config.limits;
        let origin = new_id().to_string();
        let (hub, mut background) =
            Hub::start(store, watch_settings(config), grpc::encoded_change, origin, &self.stops.rest);
        let settings = WriterSettings {
            queue: limits.write_queue,
            batch: limits.write_batch,
            cache: limits.lead_cache,
            lock_patience: limits.lock_patience,
            statement_patience: limits.statement_patience,
            failures_until_bad: config.failures_until_bad,
            later: Later {
                quiet_after: config.quiet_after.map(Into::into),
                check_in_interval: config.check_in_interval.into(),
            },
        };
        let to_feed: Arc<dyn Feed> = Arc::clone(&hub) as Arc<dyn Feed>;
        let random = || StdRng::from_rng(&mut rand::rng());
        let (writers, tasks) = Writers::start(store, settings, &to_feed, &self.stops.writers, random);
        let (revivals, timers) = timers::start(store, &writers, timer_settings(config), &self.stops.timers, random);
        let follow_ups = FollowUps::new(store, limits.lease_waiters, limits.lease_interval, random());
        let settings = ReaderSettings { queue: limits.read_queue, batch: limits.read_batch };
        let reader = Reader::start(store, settings, &mut background);
        self.service.open(Calls {
            store: store.clone(),
            reader,
            writers,
            hub,
            revivals,
            follow_ups,
            settings: ServiceSettings {
                write_patience: limits.write_patience,
                failures_until_bad: config.failures_until_bad,
                stream_window: limits.stream_window,
                batch_leads: limits.batch_leads,
                page_default: limits.page_default,
                page_max: limits.page_max,
                page_bytes: limits.page_bytes,
                checkpoint_interval: limits.checkpoint_interval,
                check_in_interval: config.check_in_interval.into(),
                revival_progress: limits.revival_progress,
                lease_follow_ups: limits.lease_follow_ups,
                lease_wait: limits.lease_wait,
                funnel_entries: limits.funnel_entries,
            },
            going_away: self.stops.calls.clone(),
        });
        Tasks { timers, writers: tasks, background }
    }

    /// Ends everything that isn't the database's business.
    async fn stop(self) {
        self.stop_with(async {}).await;
    }

    /// Ends the ports, then whatever `between` ends, then the server's own Postgres.
    async fn stop_with(self, between: impl Future<Output = ()>) {
        self.stops.calls.cancel();
        self.stops.rest.cancel();
        for (name, mut port) in [("gRPC", self.grpc), ("HTTP", self.http)] {
            if tokio::time::timeout(LAST_WORDS, &mut port).await.is_err() {
                tracing::warn!("the {name} port still had open calls: they were cut");
                port.abort();
            }
        }
        between.await;
        if let Some(postgres) = self.postgres
            && let Err(error) = postgres.stop().await
        {
            tracing::error!(%error, "stopping Postgres");
        }
    }
}

fn watch_settings(config: &Config) -> WatchSettings {
    let limits = &config.limits;
    WatchSettings {
        ring_entries: limits.ring_entries,
        poll_interval: limits.poll_interval,
        hint_interval: limits.hint_interval,
        response_entries: limits.response_entries,
        response_bytes: limits.response_bytes,
        log_page: limits.log_page,
        log_pages: limits.log_pages,
        log_readers: limits.log_readers,
        snapshot_page: limits.snapshot_page,
        snapshot_rate: f64::from(limits.snapshot_rate),
        age: limits.watch_age,
        watchers: limits.watchers,
    }
}

fn timer_settings(config: &Config) -> TimerSettings {
    let limits = &config.limits;
    TimerSettings {
        interval: limits.timer_interval,
        batch: limits.timer_batch,
        quiet_after: config.quiet_after.map(Into::into),
        revival_batch: limits.revival_batch,
        revival_share: limits.revival_share,
        revival_lease: limits.revival_lease.into(),
        funnel_step: limits.funnel_step,
    }
}

/// The one place where the server makes ids of its own.
#[allow(clippy::disallowed_methods)]
fn new_id() -> uuid::Uuid {
    uuid::Uuid::now_v7()
}

/// Asks the database for its time, and says by health whether it answers.
async fn pulse(store: Store, service: Service, health: Health, healthy: Arc<AtomicBool>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(PULSE);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let beat = async {
        loop {
            tick.tick().await;
            let alive = matches!(tokio::time::timeout(2 * PULSE, store.ping()).await, Ok(Ok(())));
            if healthy.swap(alive, Ordering::AcqRel) != alive {
                tracing::warn!(alive, "the database's state has changed");
                health.set(alive).await;
            }
            gauge!("lead_pipeline_database_up").set(f64::from(u8::from(alive)));
            gauge!("lead_pipeline_queue_commands").set(service.waiting() as f64);
            gauge!("lead_pipeline_watchers_slow").set(service.slow_watchers() as f64);
            // Without this the histograms keep every value since the last look.
            telemetry::metrics().run_upkeep();
        }
    };
    stop.run_until_cancelled(beat).await;
}
