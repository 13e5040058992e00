//! A way to the server that falls silent without closing.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Hands bytes on, until it stalls.
pub struct Way {
    address: SocketAddr,
    stalled: watch::Sender<bool>,
}

impl Way {
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let stalled = watch::Sender::new(false);
        let (server, state) = (server.to_owned(), stalled.subscribe());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("connections come");
                let server = TcpStream::connect(&server).await.expect("the server is there");
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(copy(from_client, to_server, state.clone()));
                tokio::spawn(copy(from_server, to_client, state.clone()));
            }
        });
        Self { address, stalled }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing passes, and nothing is closed.
    pub fn stall(&self) {
        self.stalled.send_replace(true);
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut stalled: watch::Receiver<bool>) {
    let mut buffer = [0; 4096];
    while let Ok(read) = from.read(&mut buffer).await {
        // The way ends with its test.
        if read == 0 || stalled.wait_for(|stalled| !stalled).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
