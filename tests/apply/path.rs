//! A way to the server that isn't there at first, or breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Takes connections, hands them on to the server, and cuts each of the first ones after so many bytes of answers.
pub struct Path {
    pub listener: TcpListener,
    pub server: String,
    pub cuts: usize,
    pub cut_after: usize,
}

impl Path {
    /// Works until its task is dropped. Gives how many connections it cut.
    pub fn open(self) -> Arc<AtomicUsize> {
        let cut = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&cut);
        tokio::spawn(async move {
            for number in 0.. {
                let (client, _) = self.listener.accept().await.expect("connections come");
                let server = TcpStream::connect(&self.server).await.expect("the server is there");
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let limit = if number < self.cuts { self.cut_after } else { usize::MAX };
                let requests = tokio::spawn(copy(from_client, to_server, usize::MAX));
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    if copy(from_server, to_client, limit).await {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    requests.abort();
                });
            }
        });
        cut
    }
}

/// Copies until the end, or until the limit: then it says so.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, limit: usize) -> bool {
    let (mut buffer, mut copied) = ([0; 4096], 0);
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return false;
        }
        copied += read;
        if copied >= limit {
            return true;
        }
    }
    false
}
