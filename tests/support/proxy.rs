//! A network between a server and Postgres that a test can cut, stall and restore.

use sqlx::postgres::PgConnectOptions;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Notify, watch};

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing gets through, and nobody is told.
    Stalled,
    /// Every connection is closed, and so is each new one.
    Cut,
}

/// What becomes of a message of the server's that contains some text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// The connection closes before Postgres gets it.
    BeforeIt,
    /// Postgres gets it and answers in full; the connection closes before the server gets the answer.
    BeforeItsAnswer,
    /// Postgres gets it and answers in full; the network stalls before the server gets the answer.
    StallItsAnswer,
    /// Postgres gets it and answers in full; the network is cut before the server gets the answer.
    CutItsAnswer,
}

impl Trap {
    /// What becomes of the whole network.
    const fn leaves(self) -> Option<State> {
        match self {
            Self::BeforeIt | Self::BeforeItsAnswer => None,
            Self::StallItsAnswer => Some(State::Stalled),
            Self::CutItsAnswer => Some(State::Cut),
        }
    }
}

/// A TCP port before the unix socket of the cluster.
pub struct Proxy {
    url: String,
    direct_url: String,
    network: Arc<Network>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Network {
    socket: PathBuf,
    state: watch::Sender<State>,
    trap: Mutex<Option<(Vec<u8>, Trap)>>,
    sprung: Notify,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// A network to the database at `url`, which is open.
    pub async fn before(url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).expect("a URL");
        let socket = options.get_socket().expect("a unix socket").join(format!(".s.PGSQL.{}", options.get_port()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (user, database) = (options.get_username(), options.get_database().expect("a database"));
        let direct_url = url.to_owned();
        let url = format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable");
        let (state, trap, sprung) = (watch::Sender::new(State::Open), Mutex::default(), Notify::new());
        let network = Arc::new(Network { socket, state, trap, sprung });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&network)));
        Self { url, direct_url, network, accepting }
    }

    /// The database's URL through this network.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's URL around this network.
    pub fn direct_url(&self) -> &str {
        &self.direct_url
    }

    pub fn cut(&self) {
        self.network.state.send_replace(State::Cut);
    }

    pub fn stall(&self) {
        self.network.state.send_replace(State::Stalled);
    }

    pub fn restore(&self) {
        self.network.state.send_replace(State::Open);
    }

    /// Sets a trap for the next message with this text.
    pub fn trap(&self, text: &str, trap: Trap) {
        *self.network.trap() = Some((text.into(), trap));
    }

    /// Waits until the trap has sprung.
    pub async fn sprung(&self) {
        super::wait::within("the trap", self.network.sprung.notified()).await;
    }
}

impl Network {
    fn trap(&self) -> std::sync::MutexGuard<'_, Option<(Vec<u8>, Trap)>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trap_for(&self, bytes: &[u8]) -> Option<Trap> {
        let mut trap = self.trap();
        let (text, _) = trap.as_ref()?;
        bytes.windows(text.len()).any(|window| window == text).then(|| trap.take().map(|(_, trap)| trap))?
    }

    /// Waits until the network isn't stalled; `None` once it is cut.
    async fn passable(&self) -> Option<()> {
        let mut state = self.state.subscribe();
        let state = *state.wait_for(|state| *state != State::Stalled).await.ok()?;
        (state == State::Open).then_some(())
    }

    async fn until_cut(&self) {
        let mut state = self.state.subscribe();
        state.wait_for(|state| *state == State::Cut).await.map(drop).ok();
    }
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    while let Ok((client, _)) = listener.accept().await {
        let network = Arc::clone(&network);
        tokio::spawn(async move {
            tokio::select! {
                () = network.until_cut() => (),
                _ = forward(client, &network) => (),
            }
        });
    }
}

/// Forwards both ways until one side closes; what is read while the network stalls waits here.
async fn forward(mut client: TcpStream, network: &Network) -> Option<()> {
    network.passable().await?;
    client.set_nodelay(true).ok()?;
    let mut server = UnixStream::connect(Path::new(&network.socket)).await.ok()?;
    let (mut from_client, mut from_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut trap = None;
    let mut answer = Vec::new();
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let bytes = &from_client[..read.ok().filter(|read| *read > 0)?];
                network.passable().await?;
                trap = trap.or_else(|| network.trap_for(bytes));
                if trap == Some(Trap::BeforeIt) {
                    network.sprung.notify_one();
                    return None;
                }
                server.write_all(bytes).await.ok()?;
            }
            read = server.read(&mut from_server) => {
                let bytes = &from_server[..read.ok().filter(|read| *read > 0)?];
                answer.extend_from_slice(bytes);
                if trap.is_some() && !is_whole(&answer) {
                    continue;
                }
                if let Some(trap) = trap.take() {
                    if let Some(state) = trap.leaves() {
                        network.state.send_replace(state);
                    }
                    network.sprung.notify_one();
                    if trap != Trap::StallItsAnswer {
                        return None;
                    }
                }
                network.passable().await?;
                client.write_all(&answer).await.ok()?;
                answer.clear();
            }
        }
    }
}

/// Whether Postgres has said all it has to say: it is ready for the next query.
fn is_whole(answer: &[u8]) -> bool {
    answer.len() >= 6 && answer[answer.len() - 6..].starts_with(b"Z\0\0\0\x05")
}
